"""Configurations of the published networks, as arguments of their classes in diffusers and transformers.

Networks of these sizes with random weights have the speed and the memory of the published ones: tests and benchmarks
build them. This module imports nothing.
"""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

UNET: dict[str, Config] = {
    "sd15": {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64},
    "sdxl": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 2048,
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
#: ControlNets repeat the UNet's way down.
CONTROLNET: dict[str, Config] = {
    name: {key: value for key, value in unet.items() if key not in ("sample_size", "up_block_types")}
    for name, unet in UNET.items()
}
_VAE: Config = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
VAE: dict[str, Config] = {"sd15": _VAE | {"scaling_factor": 0.18215}, "sdxl": _VAE | {"scaling_factor": 0.13025}}
_CLIP_L: Config = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
_CLIP_BIG_G: Config = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
#: Text encoders, in the order of the pipeline.
TEXT_ENCODERS: dict[str, tuple[Config, ...]] = {"sd15": (_CLIP_L,), "sdxl": (_CLIP_L, _CLIP_BIG_G)}
#: Image encoder of most IP-Adapters.
VIT_H: Config = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 1024,
    "hidden_act": "gelu",
}
#: The noise schedule of both, without what presets change of it.
SCHEDULE: Config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def plain_adapter_shapes(layers: dict[str, int], width: int, tokens: int = 4) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of a plain IP-Adapter's tensors for ViT-H, in the original layout.

    Args:
        layers: channels of every attention layer by the name of its processor, in the UNet's order.
        width: of the embeddings that the UNet attends to.
        tokens: of an image.
    """
    shapes: dict[str, tuple[int, ...]] = {
        "image_proj.proj.weight": (tokens * width, VIT_H["projection_dim"]),
        "image_proj.proj.bias": (tokens * width,),
        "image_proj.norm.weight": (width,),
        "image_proj.norm.bias": (width,),
    }
    for number, (name, channels) in enumerate(layers.items()):
        if name.endswith("attn2.processor"):
            for projected in "kv":
                shapes[f"ip_adapter.{number}.to_{projected}_ip.weight"] = (channels, width)
    return shapes
