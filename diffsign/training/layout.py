"""The demo family on disk: the hub's folder layout, read by the stock pipelines."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPVisionModelWithProjection

from diffsign.errors import DiffSignError
from diffsign.training.architecture import DemoFamily, build_family

#: Name of the adapter's file, in ``ip_adapter/``, in the layout of the original checkpoints.
ADAPTER_FILE = "ip-adapter_demo.safetensors"
#: What a family says of itself, in the folder's root.
CARD_FILE = "diffsign.json"


def _plain_unet(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return a copy without the adapter's layers."""
    config = {name: value for name, value in unet.config.items() if name != "encoder_hid_dim_type"}
    plain = UNet2DConditionModel(**{name: value for name, value in config.items() if not name.startswith("_")})
    weights = {
        name: value
        for name, value in unet.state_dict().items()
        if ".processor." not in name and not name.startswith("encoder_hid_proj")
    }
    plain.load_state_dict(weights)
    return plain


def image_encoder(clip: CLIPModel) -> CLIPVisionModelWithProjection:
    """Return the vision tower of ``clip`` with its projection, as the adapter's image encoder."""
    tower = CLIPVisionModelWithProjection(clip.config.vision_config)  # type: ignore[arg-type]
    tower.vision_model.load_state_dict(clip.vision_model.state_dict())
    tower.visual_projection.load_state_dict(clip.visual_projection.state_dict())
    return tower


def adapter_state(family: DemoFamily) -> dict[str, torch.Tensor]:
    """Return the adapter's weights under the names of the original checkpoints."""
    state = {name.replace("image_embeds", "proj"): value for name, value in family.adapter.state_dict().items()}
    state = {f"image_proj.{name}": value for name, value in state.items()}
    for name, value in family.processors.state_dict().items():
        number, projection, _, kind = name.split(".")
        state[f"ip_adapter.{number}.{projection}.{kind}"] = value
    return state


def save_family(folder: str | Path, family: DemoFamily, card: dict[str, object]) -> Path:
    """Write the family as fp16 safetensors; the folder appears whole, in place of an older one.

    Args:
        folder: where; its ``README.md`` is kept if there is one.
        family: the networks.
        card: what to say in ``diffsign.json``; ``trained`` must be among it.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        new = Path(temporary) / folder.name

        def half(module: torch.nn.Module) -> torch.nn.Module:
            return copy.deepcopy(module).half()

        pipeline = StableDiffusionPipeline(
            vae=half(family.vae),  # type: ignore[arg-type]
            text_encoder=half(family.text_encoder),  # type: ignore[arg-type]
            tokenizer=family.tokenizer,
            unet=half(_plain_unet(family.unet)),  # type: ignore[arg-type]
            scheduler=family.scheduler,  # type: ignore[arg-type]
            safety_checker=None,  # type: ignore[arg-type]
            feature_extractor=family.extractor,
            image_encoder=half(image_encoder(family.clip)),  # type: ignore[arg-type]
            requires_safety_checker=False,
        )
        pipeline.save_pretrained(new)
        for name, net in family.controlnets.items():
            half(net).save_pretrained(new / f"controlnet_{name}")  # type: ignore[operator]
        clip = new / "clip"
        half(family.clip).save_pretrained(clip)  # type: ignore[operator]
        family.tokenizer.save_pretrained(clip)
        family.extractor.save_pretrained(clip)
        (new / "ip_adapter").mkdir()
        state = {name: value.half().contiguous() for name, value in adapter_state(family).items()}
        save_file(state, new / "ip_adapter" / ADAPTER_FILE)
        (new / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        if (folder / "README.md").exists():
            shutil.copy(folder / "README.md", new / "README.md")
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)
    return folder


def read_card(folder: str | Path) -> dict:
    """Return what the family in ``folder`` says of itself."""
    path = Path(folder) / CARD_FILE
    if not path.exists():
        raise DiffSignError(
            f"'{folder}' holds no demo family ({CARD_FILE} is missing); see `diffsign train-demo --help`."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def load_family(folder: str | Path) -> DemoFamily:
    """Read a family written by :func:`save_family` back into fp32, to train on or to measure."""
    folder = Path(folder)
    read_card(folder)
    family = build_family()
    parts = {
        "vae": (family.vae, "vae/diffusion_pytorch_model.safetensors"),
        "unet": (family.unet, "unet/diffusion_pytorch_model.safetensors"),
        "text_encoder": (family.text_encoder, "text_encoder/model.safetensors"),
        "clip": (family.clip, "clip/model.safetensors"),
    }
    for name, net in family.controlnets.items():
        parts[f"controlnet_{name}"] = (net, f"controlnet_{name}/diffusion_pytorch_model.safetensors")
    for name, (module, path) in parts.items():
        weights = {key: value.float() for key, value in load_file(folder / path).items()}
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            raise DiffSignError(f"'{folder / path}' does not fit the demo family's {name}; write it again.") from error
    state = load_file(folder / "ip_adapter" / ADAPTER_FILE)
    projection = {
        name.removeprefix("image_proj.").replace("proj", "image_embeds"): value.float()
        for name, value in state.items()
        if name.startswith("image_proj.")
    }
    family.adapter.load_state_dict(projection)
    for name, value in state.items():
        if name.startswith("ip_adapter."):
            _, number, layer, _ = name.split(".")
            getattr(family.processors[number], layer)[0].weight.data.copy_(value.float())
    return family
