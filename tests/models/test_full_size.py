"""SD 1.5 and SDXL in their exact configurations, with random weights in the hub's layout, through the same code.

Slow: gigabytes of weights are written and read. SDXL runs in bfloat16 to fit into 16 GB.
"""

import gc
import json
import shutil

import diffusers
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file

from diffsign.config.family import resolve_families
from diffsign.config.generate import FetchSettings, GenerateSettings
from diffsign.fetch.stage import fetch_family
from diffsign.generate.chunks import chunk_range
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.generate.sizing import Sizing
from diffsign.training.tokenizer import build_tokenizer
from tests.tiny_family import WORDS

SD15_UNET = {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64}
SDXL_UNET = {
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
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
TEXT_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
TEXT_G = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
VIT_H = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "projection_dim": 1024,
    "hidden_act": "gelu",
}
#: Parameters of the published networks.
PARAMETERS = {"sd15": 859_520_964, "sdxl": 2_567_463_684}


def random_network(make, folder, dtype):
    """Make a network without its slow initialisation, fill it, save it; return its number of parameters."""
    with torch.device("meta"):
        network = make()
    network = network.to(dtype).to_empty(device="cpu")
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=0.02)
        else:
            parameter.data.fill_(float(name.endswith("weight")))
    network.save_pretrained(folder)
    count = sum(parameter.numel() for parameter in network.parameters())
    del network
    gc.collect()
    return count


def write_family(folder, name, dtype):
    xl = name == "sdxl"
    unet = SDXL_UNET if xl else SD15_UNET
    base = folder / "base"
    count = random_network(lambda: diffusers.UNet2DConditionModel(**unet), base / "unet", dtype)
    factor = {"scaling_factor": 0.13025 if xl else 0.18215}
    random_network(lambda: diffusers.AutoencoderKL(**VAE, **factor), base / "vae", dtype)
    net = {k: v for k, v in unet.items() if k not in ("sample_size", "up_block_types")}
    for control in ("pose", "canny"):
        random_network(lambda: diffusers.ControlNetModel(**net), folder / control, dtype)
    for suffix, text in (("", TEXT_L), ("_2", TEXT_G))[: 2 if xl else 1]:
        tokenizer = build_tokenizer(WORDS, 77)
        tokenizer.save_pretrained(base / f"tokenizer{suffix}")
        config = transformers.CLIPTextConfig(**text, bos_token_id=49406, eos_token_id=tokenizer.eos_token_id)
        kind = transformers.CLIPTextModelWithProjection if suffix else transformers.CLIPTextModel
        random_network(lambda kind=kind, config=config: kind(config), base / f"text_encoder{suffix}", dtype)
    vision = transformers.CLIPVisionConfig(**VIT_H)
    random_network(lambda: transformers.CLIPVisionModelWithProjection(vision), folder / "image_encoder", dtype)
    diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    ).save_pretrained(base / "scheduler")
    kind = "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline"
    (base / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    with torch.device("meta"):
        skeleton = diffusers.UNet2DConditionModel(**unet)
    width = unet["cross_attention_dim"]
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * width, 1024) * 0.02,
        "image_proj.proj.bias": torch.zeros(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    for number, attention in enumerate(skeleton.attn_processors):
        if attention.endswith("attn2.processor"):
            out = skeleton.get_submodule(attention.removesuffix(".processor")).to_q.out_features
            tensors[f"ip_adapter.{number}.to_k_ip.weight"] = torch.randn(out, width) * 0.02
            tensors[f"ip_adapter.{number}.to_v_ip.weight"] = torch.randn(out, width) * 0.02
    (folder / "adapter").mkdir()
    save_file(tensors, folder / "adapter" / "adapter.safetensors")
    return count


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), [("sd15", "float32"), ("sdxl", "bfloat16")])
def test_two_steps_at_full_size(name, dtype, tmp_path, picture):
    folder = tmp_path / name
    try:
        assert write_family(folder, name, getattr(torch, dtype)) == PARAMETERS[name]
        entry = {
            "base": {"id": str(folder / "base"), "variant": None},
            "vae": None,
            "controlnets": {control: {"id": str(folder / control)} for control in ("pose", "canny")},
            "ip_adapter": {
                "id": str(folder / "adapter"),
                "file": "adapter.safetensors",
                "image_encoder": {"id": str(folder / "image_encoder")},
            },
        }
        family = resolve_families({name: entry})[name]
        manifest = fetch_family(name, family, FetchSettings())
        signer = encode_signer(manifest, [picture], text="a woman in a red shirt", device="cpu")
        gc.collect()
        settings = GenerateSettings(steps=2, dtype=dtype, device="cpu", batch_size=1)
        generator = Generator(manifest, signer, settings)
        clip = np.random.default_rng(0).integers(0, 255, (2, 128, 128, 3), dtype=np.uint8)
        clips = {control: iter(clip) for control in generator.controls}
        frames = list(generator.frames(clips, 2, chunk_range(2, 2, 2, 1), Sizing.of(128, 128, generator.factor)))
        assert generator.factor == 8
        assert len(frames) == 1 and frames[0].shape == (128, 128, 3)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
