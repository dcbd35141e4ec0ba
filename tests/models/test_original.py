"""Signers given by a picture are those of the original ``ip-adapter`` package: same weights, noise, scheduler; fp32.

``pytest -m slow -rP tests/models/test_original.py --original PYTHON``, where PYTHON has what original.txt
lists, prints the figures of docs/families.md.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffsign.config.generate import GenerateSettings
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.generate.windows import batch_windows
from diffsign.models.sizing import Sizing
from tests.tiny_family import TOKENS, Tiny, write_tiny_family

#: The blocks of SD 1.5 (16 cross-attentions, numbered 1, 3, … 31) and SDXL, narrow.
SD15 = {
    "block_out_channels": (32, 64, 96, 96),
    "layers_per_block": 2,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "norm_num_groups": 32,
}
SDXL = {
    "block_out_channels": (32, 64, 96),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 4),
    "attention_head_dim": (4, 8, 12),
    "norm_num_groups": 32,
}
#: Image tokens that each kind gives; full has as many as the image encoder, here a class token and 2×2 patches.
GIVEN = {"plain": TOKENS, "plus": 4 * TOKENS, "full": 5}
WORDS = {"image": None, "multimodal": "a woman in a red shirt"}
SIDE, STEPS, GUIDANCE = 64, 10, 7.5
TOLERANCE = 1e-3

CASES = [
    *(("sd", kind, suffix, who) for kind in GIVEN for suffix in ("bin", "safetensors") for who in WORDS),
    *(("sdxl", "plain", suffix, "multimodal") for suffix in ("bin", "safetensors")),
]


def as_on_the_hub(base):
    """Name files and tensors as the hub's folders do, which the transformers of the package's time reads."""
    for folder in base.glob("tokenizer*"):
        model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
        merges = ["#version: 0.2", *(" ".join(pair) for pair in model["merges"])]
        (folder / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    weights = base / "text_encoder" / "model.safetensors"
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(weights).items()}
    save_file(tensors, weights, {"format": "pt"})


def ours(tiny, kind, suffix, who, picture, controls):
    """Noise and final latents (1, C, h, w) of this project's way, and what it ran with."""
    manifest = tiny.fetch(
        ip_adapter=tiny.adapter(f"{kind}.{suffix}"), presets={"paper": {"steps": STEPS, "guidance_scale": GUIDANCE}}
    )
    signer = encode_signer(manifest, [picture], WORDS[who], device="cpu")
    generator = Generator(manifest, signer, GenerateSettings(device="cpu"))
    vae, seen = generator.pipeline.vae, []
    decode = vae.decode
    vae.decode = lambda latents, *rest, **named: seen.append(latents) or decode(latents, *rest, **named)
    sizing = Sizing.of(SIDE, SIDE, generator.factor)
    generator.generate(batch_windows(1, 1)[0], controls, sizing)
    noise, _ = generator.noise(range(1), sizing)
    weights = manifest.family.ip_adapter
    job = {
        "kind": kind,
        "xl": tiny.xl,
        "base": manifest.base.path,
        "controlnets": [manifest.controlnets[name].path for name in generator.controls],
        "encoder": manifest.ip_adapter.image_encoder.path,
        "adapter": manifest.ip_adapter.weights.path,
        "tokens": GIVEN[kind],
        "picture": str(picture),
        "prompt": signer.prompt,
        "negative": signer.negative,
        "scale": weights.scale_with_text if signer.worded else weights.scale,
        "steps": STEPS,
        "guidance": GUIDANCE,
    }
    return noise, seen[0] * vae.config.scaling_factor, job


@pytest.mark.slow
def test_latents_equal_those_of_the_original_package(request, tmp_path, picture):
    python = request.config.getoption("--original")
    if python is None:
        pytest.skip("needs --original PYTHON")
    families = {
        "sd": Tiny(write_tiny_family(tmp_path / "sd", unet=SD15, picture=224), xl=False),
        "sdxl": Tiny(write_tiny_family(tmp_path / "sdxl", xl=True, unet=SDXL, picture=224), xl=True),
    }
    for tiny in families.values():
        as_on_the_hub(tiny.folder / "base")
    random = np.random.default_rng(4)
    controls = {name: random.integers(0, 255, (1, SIDE, SIDE, 3), dtype=np.uint8) for name in ("pose", "canny")}
    drawn, jobs = [], []
    for number, (family, *case) in enumerate(CASES):
        noise, latents, job = ours(families[family], *case, picture, controls)
        tensors = {f"control.{n}": torch.from_numpy(c).movedim(3, 1) / 255 for n, c in enumerate(controls.values())}
        save_file({name: t.contiguous() for name, t in (tensors | {"noise": noise}).items()}, tmp_path / f"{number}.in")
        drawn.append(latents)
        jobs.append(job | {"tensors": str(tmp_path / f"{number}.in"), "latents": str(tmp_path / f"{number}.out")})
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).with_name("original.py")
    subprocess.run([python, str(script), str(tmp_path / "jobs.json")], check=True)
    worst, figures = 0.0, []
    for case, latents, job in zip(CASES, drawn, jobs, strict=True):
        theirs = load_file(job["latents"])["latents"]
        difference = float((latents - theirs).abs().max())
        worst = max(worst, difference)
        figures.append(f"{' '.join(case):32} {difference:.1e} (largest latent {float(theirs.abs().max()):.2f})")
    sys.stdout.write("\n".join(figures))
    assert worst <= TOLERANCE
    # pictures and words do steer: another kind of signer is not within the tolerance
    plain = [latents for case, latents in zip(CASES, drawn, strict=True) if case[:3] == ("sd", "plain", "bin")]
    assert (plain[0] - plain[1]).abs().max() > 10 * TOLERANCE
