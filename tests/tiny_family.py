"""Model families in the hub's layout with random weights, small enough for a test: like SD 1.5, and like SDXL.

Tests take them as the fixtures of ``tests/model_fixtures.py``, which imports this module when a test needs it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

from diffsign.config.family import Family
from diffsign.config.generate import FetchSettings
from diffsign.fetch.stage import fetch_family
from diffsign.geometry.camera import Camera
from diffsign.records.clip import iter_clip
from diffsign.records.keypoints import FACE, LEFT_HAND
from diffsign.training.tokenizer import build_tokenizer

WORDS = "a person signing woman man with red blue shirt hair quality best low".split()
TEXT, VISION = 16, 24  # widths of the text encoders and of the image encoder's projection
HIDDEN = 32  # width inside the image encoder
TOKENS = 4


def _text(folder, suffix, projected):
    tokenizer = build_tokenizer(WORDS, 20)
    tokenizer.save_pretrained(folder / f"tokenizer{suffix}")
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=20,
        projection_dim=TEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    kind(config).save_pretrained(folder / f"text_encoder{suffix}")


def unet_config(xl):
    attended = 2 * TEXT if xl else TEXT
    more = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": TEXT + 6 * 8,
    }
    return {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": attended,
        "attention_head_dim": 8,
        "norm_num_groups": 8,
        **(more if xl else {}),
    }


def _resampler(width, taken, inner=768, depth=4):
    """Shapes of the projection of a plus adapter; 12 heads of 64, as published."""
    shapes = {
        "latents": (1, 4 * TOKENS, width),
        "proj_in.weight": (width, taken),
        "proj_in.bias": (width,),
        "proj_out.weight": (width, width),
        "proj_out.bias": (width,),
        "norm_out.weight": (width,),
        "norm_out.bias": (width,),
    }
    for layer in range(depth):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{layer}.{norm}.{part}": (width,) for part in ("weight", "bias")}
        shapes[f"layers.{layer}.0.to_q.weight"] = (inner, width)
        shapes[f"layers.{layer}.0.to_kv.weight"] = (2 * inner, width)
        shapes[f"layers.{layer}.0.to_out.weight"] = (width, inner)
        shapes[f"layers.{layer}.1.1.weight"] = (4 * width, width)
        shapes[f"layers.{layer}.1.3.weight"] = (width, 4 * width)
    return shapes


def adapter_tensors(unet, kind="plain", width=None, taken=None):
    """An IP-Adapter checkpoint in the original layout, with random weights."""
    width = width or unet.config.cross_attention_dim
    taken = taken or (VISION if kind == "plain" else HIDDEN)
    projection = {
        "plain": {
            "proj.weight": (TOKENS * width, taken),
            "proj.bias": (TOKENS * width,),
            "norm.weight": (width,),
            "norm.bias": (width,),
        },
        "full": {
            "proj.0.weight": (taken, taken),
            "proj.0.bias": (taken,),
            "proj.2.weight": (width, taken),
            "proj.2.bias": (width,),
            "proj.3.weight": (width,),
            "proj.3.bias": (width,),
        },
        "plus": _resampler(width, taken),
    }[kind]
    tensors = {f"image_proj.{name}": torch.randn(shape) * 0.5 for name, shape in projection.items()}
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            out = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
            for projected in "kv":
                tensors[f"ip_adapter.{number}.to_{projected}_ip.weight"] = torch.randn(out, width) * 0.2
    return tensors


def as_bin(tensors, path):
    state = {"image_proj": {}, "ip_adapter": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        state[part][rest] = value
    torch.save(state, path)


def write_tiny_family(folder, xl=False, unet=None, picture=16):
    """Write a family; the parts lie in the places that ``tiny_definition`` names.

    ``unet`` is laid over the config of the UNet; ``picture`` is what the image encoder sees, in pixels.
    """
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7 if xl else 3)
        unet = diffusers.UNet2DConditionModel(**unet_config(xl) | (unet or {}))
        vae = diffusers.AutoencoderKL(
            block_out_channels=(16, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=8,
            scaling_factor=0.13025 if xl else 0.18215,
        )
        base = folder / "base"
        unet.save_pretrained(base / "unet")
        vae.save_pretrained(base / "vae")
        _text(base, "", projected=False)
        if xl:
            _text(base, "_2", projected=True)
        diffusers.DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False).save_pretrained(base / "scheduler")
        index = {
            "_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline",
            "scheduler": ["diffusers", "DDIMScheduler"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
        }
        (base / "model_index.json").write_text(json.dumps(index))
        for name in ("pose", "canny"):
            net = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
            for parameter in (*net.controlnet_down_blocks.parameters(), *net.controlnet_mid_block.parameters()):
                torch.nn.init.normal_(parameter, std=0.1)  # as trained: untrained ones are zero and steer nothing
            torch.nn.init.normal_(net.controlnet_cond_embedding.conv_out.weight, std=0.5)
            net.save_pretrained(folder / name)
        diffusers.MotionAdapter(
            block_out_channels=(32, 64),
            motion_layers_per_block=1,
            motion_norm_num_groups=8,
            motion_num_attention_heads=2,
            use_motion_mid_block=False,
        ).save_pretrained(folder / "motion")
        vision = transformers.CLIPVisionConfig(
            hidden_size=HIDDEN,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=picture,
            patch_size=picture // 2,
            projection_dim=VISION,
        )
        transformers.CLIPVisionModelWithProjection(vision).save_pretrained(folder / "image_encoder")
        (folder / "adapters").mkdir()
        for kind in ("plain", "plus", "full"):
            save_file(adapter_tensors(unet, kind), folder / "adapters" / f"{kind}.safetensors")
            as_bin(load_file(folder / "adapters" / f"{kind}.safetensors"), folder / "adapters" / f"{kind}.bin")
    return folder


def tiny_definition(folder, **changes):
    entry = {
        "base": {"id": str(folder / "base")},
        "controlnets": {name: {"id": str(folder / name)} for name in ("pose", "canny")},
        "ip_adapter": {
            "id": str(folder / "adapters"),
            "file": "plain.safetensors",
            "image_encoder": {"id": str(folder / "image_encoder")},
        },
        "motion_adapter": {"id": str(folder / "motion")},
        "presets": {"paper": {"steps": 2, "guidance_scale": 3.0}},
        "negative_prompt": "low quality",
    }
    return Family.model_validate(entry | changes)


@dataclass
class Tiny:
    """A tiny family in a folder, and what tests do with it."""

    folder: Path
    xl: bool

    def definition(self, **changes):
        """The family's entry."""
        return tiny_definition(self.folder, **changes)

    def fetch(self, motion_adapter_too=False, **changes):
        """The manifest of the family, with ``changes`` to its entry."""
        settings = FetchSettings(motion_adapter=motion_adapter_too)
        return fetch_family("tiny", self.definition(**changes), settings)

    def adapter(self, file, encoder=None):
        """The entry of another of the family's adapters."""
        encoder = encoder or self.folder / "image_encoder"
        return {"id": str(self.folder / "adapters"), "file": file, "image_encoder": {"id": str(encoder)}}

    def copy(self, to):
        """The same family in another folder."""
        shutil.copytree(self.folder, to)
        return Tiny(to, self.xl)

    def generate(self, conditioning, clips, manifest=None, masks=None, avatar=None, **settings):
        """The 5 frames of the clips, generated in one go: (5, 16, 24, 3) uint8."""
        from diffsign.config.generate import GenerateSettings
        from diffsign.generate.generator import Generator
        from diffsign.models.sizing import Sizing

        settings = GenerateSettings(**{"device": "cpu", "batch_size": 2} | settings)
        generator = Generator(manifest or self.fetch(), conditioning, settings, avatar)
        streams = {name: iter_clip(clips / f"{name}.mkv") for name in generator.controls}
        return np.stack(list(generator.frames(streams, 5, range(5), Sizing.of(24, 16, generator.factor), masks)))

    def write_lora(self, folder, seed=0, words=False):
        """A LoRA of the UNet, and with ``words`` of the text encoder, as diffusers' training scripts write them."""
        unet = diffusers.UNet2DConditionModel.from_pretrained(self.folder / "base" / "unet")
        layers = {"unet_lora_layers": _lora_of(unet, ["to_q", "to_k", "to_v", "to_out.0"], seed)}
        if words:
            encoder = transformers.CLIPTextModel.from_pretrained(self.folder / "base" / "text_encoder")
            layers["text_encoder_lora_layers"] = _lora_of(encoder, ["q_proj", "v_proj"], seed)
        kind = diffusers.StableDiffusionXLPipeline if self.xl else diffusers.StableDiffusionPipeline
        kind.save_lora_weights(folder, **layers, weight_name=f"{seed}.safetensors")
        return folder / f"{seed}.safetensors"


def _lora_of(network, layers, seed):
    import peft

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.add_adapter(peft.LoraConfig(r=4, lora_alpha=4, target_modules=layers), "default")
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return peft.get_peft_model_state_dict(network, adapter_name="default")


class Board:
    """An avatar: a square board of 1 m before the camera, which moves to the right by ``step`` metres a frame."""

    def __init__(self, size=64, step=0.0, cells=8):
        self.camera = Camera.facing(size, size, float(size))  # at 2 m, 1 m is half the picture
        grid = np.linspace(-0.5, 0.5, cells + 1)
        x, y = np.meshgrid(grid, grid)
        self.points = np.stack([x, y, np.full_like(x, -2.0)], axis=-1).reshape(-1, 3).astype(np.float32)
        corner = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
        a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
        self.faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
        self.step = step

    def vertices(self, frame):
        return self.points + np.array([self.step * frame, 0, 0], np.float32)

    def keypoints(self):
        """A face 4 pixels wide in the middle of 24×16, and a left hand that walks to the right."""
        points = np.full((5, 137, 2), np.nan)
        corners = np.array([[-2, -2], [2, 2]])
        points[:, FACE] = np.resize(corners + np.array([12, 8]), (70, 2))
        for frame in range(5):
            points[frame, LEFT_HAND] = np.resize(corners + np.array([3 + frame, 3]), (21, 2))
        return points
