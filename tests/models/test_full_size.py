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
from diffsign.models import published
from diffsign.models.sizing import Sizing
from diffsign.training.tokenizer import build_tokenizer
from tests.tiny_family import WORDS

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
    base, unet = folder / "base", published.UNET[name]
    count = random_network(lambda: diffusers.UNet2DConditionModel(**unet), base / "unet", dtype)
    random_network(lambda: diffusers.AutoencoderKL(**published.VAE[name]), base / "vae", dtype)
    for control in ("pose", "canny"):
        random_network(lambda: diffusers.ControlNetModel(**published.CONTROLNET[name]), folder / control, dtype)
    for suffix, text in zip(("", "_2"), published.TEXT_ENCODERS[name], strict=False):
        tokenizer = build_tokenizer(WORDS, 77)
        tokenizer.save_pretrained(base / f"tokenizer{suffix}")
        config = transformers.CLIPTextConfig(**text, bos_token_id=49406, eos_token_id=tokenizer.eos_token_id)
        kind = transformers.CLIPTextModelWithProjection if suffix else transformers.CLIPTextModel
        random_network(lambda kind=kind, config=config: kind(config), base / f"text_encoder{suffix}", dtype)
    vision = transformers.CLIPVisionConfig(**published.VIT_H)
    random_network(lambda: transformers.CLIPVisionModelWithProjection(vision), folder / "image_encoder", dtype)
    diffusers.DDIMScheduler(**published.SCHEDULE).save_pretrained(base / "scheduler")
    kind = "StableDiffusionXLPipeline" if name == "sdxl" else "StableDiffusionPipeline"
    (base / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    with torch.device("meta"):
        skeleton = diffusers.UNet2DConditionModel(**unet)
    layers = {
        name: skeleton.get_submodule(name.removesuffix(".processor")).to_q.out_features
        for name in skeleton.attn_processors
    }
    shapes = published.plain_adapter_shapes(layers, unet["cross_attention_dim"])
    (folder / "adapter").mkdir()
    tensors = {name: torch.randn(shape) * 0.02 for name, shape in shapes.items()}
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
