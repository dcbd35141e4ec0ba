"""Model families: which weights belong together, where they are, and how they are used.

A family of the config is laid over the built-in one of the same name, key by key, so that one line
(`families: {sd15: {base: {id: /weights/sd15}}}`) moves a part to a local folder and leaves the rest.
"""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, model_validator

from diffsign.config.settings import Settings, parse
from diffsign.errors import DiffSignError, nearest

ControlName = Literal["pose", "canny", "depth"]
DType = Literal["float32", "float16", "bfloat16"]

#: Id prefix of folders that ship inside the package.
PACKAGE = "package:"


def carried_folder(id: str) -> Path:
    """Return where this installation keeps the folder that an id with :data:`PACKAGE` names."""
    return Path(str(resources.files("diffsign"))) / id.removeprefix(PACKAGE)


def split_revision(text: str) -> dict[str, str]:
    """Return id and revision of a part given as text: a path, or a hub id with ``@revision`` behind it.

    An ``@`` in a path is part of the path.
    """
    name, at, revision = text.partition("@")
    if not at or text.startswith(("/", ".", "~", PACKAGE)) or Path(text).exists():
        return {"id": text}
    return {"id": name, "revision": revision or "main"}


class Weights(Settings):
    """One folder of weights: on the hub, or local."""

    id: str = Field(
        min_length=1,
        description="Hub id (owner/name), a local folder, or a folder of the hub's cache; a base may be one file.",
    )
    config: str | None = Field(
        default=None,
        min_length=1,
        description="For a base that is one file (.safetensors): a base of its kind (hub id, folder), for its configs.",
    )
    revision: str = Field(
        default="main",
        min_length=1,
        description="Branch, tag or commit on the hub; the manifest names the commit found, to pin it here.",
    )
    subfolder: str = Field(default="", description="Folder inside it.")
    variant: str | None = Field(
        default=None, description="Variant of the weight files; fp16 is taken by itself where there are no plain ones."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return split_revision(value) if isinstance(value, str) else value


class ControlNetWeights(Weights):
    """A ControlNet and how strongly it is followed."""

    scale: float = Field(default=1.0, ge=0, le=2, description="Conditioning scale; 0 leaves the control out.")


class WeightFile(Settings):
    """One file of weights inside a folder on the hub, or local."""

    id: str = Field(min_length=1, description="Hub id (owner/name), or a local folder.")
    revision: str = Field(default="main", min_length=1, description="Branch, tag or commit on the hub.")
    file: str = Field(min_length=1, description="Path of the file inside it, .safetensors or .bin.")


class IPAdapterWeights(WeightFile):
    """An IP-Adapter checkpoint in the original layout, and the image encoder it was trained with."""

    image_encoder: Weights = Field(description="CLIP vision tower with its projection.")
    scale: float = Field(
        default=0.6, ge=0, le=2, description="Weight of the reference pictures when there are no words."
    )
    scale_with_text: float = Field(
        default=0.5, ge=0, le=2, description="Weight of the reference pictures beside words."
    )


class LoRAWeights(WeightFile):
    """A LoRA that a preset or a signer switches on."""

    scale: float = Field(default=1.0, ge=0, le=2, description="How strongly it is applied.")


def parse_lora(text: str) -> tuple[str, float | None]:
    """Return name (or file) and scale of a LoRA given as ``name`` or ``name:scale``; the scale is from 0 to 2."""
    name, colon, scale = text.strip().rpartition(":")
    if not colon:
        return text.strip(), None
    try:
        value = float(scale)
    except ValueError:
        value = math.nan
    if not (name and 0 <= value <= 2):
        raise DiffSignError(f"expected a LoRA's name, or name:scale with a scale from 0 to 2, and not '{text}'.")
    return name, value


class SchedulerChoice(Settings):
    """A scheduler of diffusers."""

    name: str = Field(pattern=r"^[A-Za-z]+Scheduler$", description="Class in diffusers, such as DDIMScheduler.")
    options: dict[str, Any] = Field(
        default={}, description="What differs from the schedule that the base model brings."
    )


class Preset(Settings):
    """A way to sample: the paper's, or a faster one."""

    scheduler: SchedulerChoice | None = Field(default=None, description="By default the base model's own.")
    steps: int = Field(default=50, ge=1, le=1000, description="Denoising steps.")
    guidance_scale: float = Field(
        default=7.5, ge=0, le=50, description="Classifier-free guidance; up to 1 switches it off."
    )
    lora: str | None = Field(default=None, description="Name of one of the family's LoRAs.")


class Completion(Settings):
    """Words for something that a signer's words may leave open."""

    add: str = Field(min_length=1, description="What is added.")
    unless: list[str] = Field(min_length=1, description="Words of which one says it already.")


class Family(Settings):
    """Weights that belong together and how they are used."""

    base: Weights = Field(description="Stable Diffusion 1.x or XL in the layout of diffusers.")
    vae: Weights | None = Field(default=None, description="Another autoencoder than the base's.")
    controlnets: dict[ControlName, ControlNetWeights] = Field(description="ControlNet of each control.")
    ip_adapter: IPAdapterWeights | None = Field(default=None, description="For signers given by a picture.")
    loras: dict[str, LoRAWeights] = Field(default={}, description="LoRAs that presets and signers may name.")
    motion_adapter: Weights | None = Field(
        default=None, description="Motion module in the layout of AnimateDiff, for temporal: animatediff."
    )
    clip: Weights | None = Field(default=None, description="CLIP model that judges the result.")
    presets: dict[str, Preset] = Field(min_length=1, description="Ways to sample, by name.")
    preset: str = Field(default="paper", description="The preset used unless told otherwise.")
    width: int | None = Field(default=None, ge=64, le=4096, multiple_of=8, description="Width of the result in pixels.")
    height: int | None = Field(
        default=None, ge=64, le=4096, multiple_of=8, description="Height of the result in pixels."
    )
    short_side: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        multiple_of=8,
        description="Pixels of the shorter side, where width and height are not given; by default the clip's.",
    )
    dtype: DType = Field(default="float16", description="Precision on a GPU; a CPU computes in float32.")
    seed: int = Field(default=42, ge=0, lt=2**63, description="Seed of the noise.")
    prompt: str = Field(default="best quality, high quality", description="Words used when a signer brings none.")
    completions: list[Completion] = Field(
        default=[], description="For what words leave open, where no picture and no LoRA says it."
    )
    negative_prompt: str = Field(
        default="monochrome, lowres, bad anatomy, worst quality, low quality",
        description="What the pictures must not show, when a signer does not say.",
    )

    @model_validator(mode="after")
    def _names(self) -> Family:
        if self.preset not in self.presets:
            raise ValueError(f"preset '{self.preset}' is none of {', '.join(self.presets)}")
        for name, preset in self.presets.items():
            if preset.lora is not None and preset.lora not in self.loras:
                raise ValueError(f"preset '{name}' names the LoRA '{preset.lora}', which the family does not have")
        return self


_DEMO = f"{PACKAGE}weights/demo"
_DPM: dict[str, Any] = {
    "name": "DPMSolverMultistepScheduler",
    "options": {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
}
_LCM: dict[str, Any] = {"name": "LCMScheduler"}

BUILT_IN: dict[str, dict[str, Any]] = {
    # Small, trained by this project, runs on a CPU.
    "demo": {
        "base": {"id": _DEMO},
        "controlnets": {name: {"id": _DEMO, "subfolder": f"controlnet_{name}"} for name in ("pose", "canny", "depth")},
        "ip_adapter": {
            "id": _DEMO,
            "file": "ip_adapter/ip-adapter_demo.safetensors",
            "image_encoder": {"id": _DEMO, "subfolder": "image_encoder"},
            # As trained: beside a picture, what words name wins, and the rest is the picture's.
            "scale": 1.0,
            "scale_with_text": 1.0,
        },
        "clip": {"id": _DEMO, "subfolder": "clip"},
        # One step from pure noise is what its weights have learned best; see their README.md.
        "presets": {"fast": {"steps": 1, "guidance_scale": 1.0}, "guided": {"steps": 16, "guidance_scale": 2.0}},
        "preset": "fast",
        "short_side": 256,
        "prompt": "a person signing",
        # One step draws the mean of all that the words may mean: a grey shade before a grey wall.
        "completions": [
            {"add": "tan skin", "unless": ["skin", "skinned"]},
            {"add": "brown hair", "unless": ["hair", "haired", "blond", "blonde", "brunette", "ginger", "bald"]},
            {"add": "blue shirt", "unless": ["shirt", "t-shirt", "tee", "top", "sweater", "jumper", "blouse"]},
            {"add": "long sleeves", "unless": ["sleeve", "sleeves", "sleeved", "sleeveless", "t-shirt", "tee"]},
            {"add": "beige background", "unless": ["background", "wall"]},
        ],
        "negative_prompt": "",
    },
    # The paper's image and multimodal prompts.
    "sd15": {
        "base": {"id": "stable-diffusion-v1-5/stable-diffusion-v1-5"},
        "vae": {"id": "stabilityai/sd-vae-ft-mse"},
        "controlnets": {
            "pose": {"id": "lllyasviel/control_v11p_sd15_openpose"},
            "canny": {"id": "lllyasviel/sd-controlnet-canny"},
            "depth": {"id": "lllyasviel/control_v11f1p_sd15_depth", "scale": 0.0},
        },
        "ip_adapter": {
            "id": "h94/IP-Adapter",
            "file": "models/ip-adapter_sd15.bin",
            "image_encoder": {"id": "h94/IP-Adapter", "subfolder": "models/image_encoder"},
        },
        "loras": {"lcm": {"id": "latent-consistency/lcm-lora-sdv1-5", "file": "pytorch_lora_weights.safetensors"}},
        "motion_adapter": {"id": "guoyww/animatediff-motion-adapter-v1-5-3"},
        "clip": {"id": "openai/clip-vit-large-patch14"},
        "presets": {
            "paper": {
                "scheduler": {
                    "name": "DDIMScheduler",
                    "options": {
                        "num_train_timesteps": 1000,
                        "beta_start": 0.00085,
                        "beta_end": 0.012,
                        "beta_schedule": "scaled_linear",
                        "clip_sample": False,
                        "set_alpha_to_one": False,
                        "steps_offset": 1,
                    },
                },
                "steps": 60,
                "guidance_scale": 7.5,
            },
            "dpm": {"scheduler": _DPM, "steps": 20, "guidance_scale": 7.5},
            "lcm": {"scheduler": _LCM, "steps": 6, "guidance_scale": 1.5, "lora": "lcm"},
        },
        "width": 1024,
        "height": 1024,
        "seed": 42,
    },
    # The paper's text prompts.
    "sdxl": {
        "base": {"id": "stabilityai/stable-diffusion-xl-base-1.0", "variant": "fp16"},
        "vae": {"id": "madebyollin/sdxl-vae-fp16-fix"},
        "controlnets": {
            "pose": {"id": "thibaud/controlnet-openpose-sdxl-1.0"},
            "canny": {"id": "diffusers/controlnet-canny-sdxl-1.0", "scale": 0.8},
            "depth": {"id": "diffusers/controlnet-depth-sdxl-1.0", "scale": 0.0},
        },
        "ip_adapter": {
            "id": "h94/IP-Adapter",
            "file": "sdxl_models/ip-adapter_sdxl_vit-h.safetensors",
            "image_encoder": {"id": "h94/IP-Adapter", "subfolder": "models/image_encoder"},
        },
        "loras": {"lcm": {"id": "latent-consistency/lcm-lora-sdxl", "file": "pytorch_lora_weights.safetensors"}},
        "clip": {"id": "openai/clip-vit-large-patch14"},
        "presets": {
            "paper": {"scheduler": {"name": "UniPCMultistepScheduler"}, "steps": 50, "guidance_scale": 5.0},
            "dpm": {"scheduler": _DPM, "steps": 20, "guidance_scale": 5.0},
            "lcm": {"scheduler": _LCM, "steps": 6, "guidance_scale": 1.5, "lora": "lcm"},
        },
        "width": 1024,
        "height": 1024,
        "seed": 40,
    },
}


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(merged.get(key), dict):
            old = cast("dict[str, Any]", merged[key])
            if isinstance(value, str) and "id" in old:
                value = {"revision": "main"} | split_revision(value)
            if isinstance(value, dict):
                new = cast("dict[str, Any]", value)
                another_class = key == "scheduler" and new.get("name", old.get("name")) != old.get("name")
                value = new if another_class else _laid_over(old, new)
        merged[key] = value
    return merged


def resolve_families(changes: dict[str, dict[str, Any]] | None = None) -> dict[str, Family]:
    """Return all families by name: the built-in ones with ``changes`` laid over them, and new ones.

    Raises:
        DiffSignError: naming the family and the key, for an entry that is not right.
    """
    entries: dict[str, dict[str, Any]] = _laid_over(BUILT_IN, changes or {})
    return {name: parse(Family, entry, f"families.{name}") for name, entry in entries.items()}


def family_named(name: str, families: dict[str, Family]) -> Family:
    """Return one family, or raise a sentence that names those there are."""
    if name not in families:
        raise DiffSignError(
            f"there is no model family '{name}'{nearest(name, families)}; there are {', '.join(families)}."
        )
    return families[name]
