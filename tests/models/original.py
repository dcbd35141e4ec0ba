"""Run the original ``ip-adapter`` package: ``python original.py JOBS.json``, in an environment of its own.

The package needs the diffusers of its time (``original.txt``), so nothing of this project is imported here. It
asks for half precision everywhere; its module is given a ``torch`` whose ``float16`` is ``float32``, so that what is
compared is the method and not the rounding. The installed package stays as it is.

A job has: ``kind`` (plain, plus or full), ``xl``, ``base``, ``controlnets``, ``encoder``, ``adapter``, ``picture``,
``prompt``, ``negative``, ``scale``, ``steps``, ``guidance``, and ``tensors``: a safetensors file with the ``noise``
(1, C, h, w) and one ``control.N`` (1, 3, H, W) for each ControlNet. ``latents`` is the file to write.
"""

import json
import sys
from pathlib import Path

import diffusers
import ip_adapter.ip_adapter as original
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file


class SinglePrecision:
    """``torch``, where half precision is single precision."""

    float16 = torch.float32

    def __getattr__(self, name):
        return getattr(torch, name)


original.torch = SinglePrecision()


def pipeline(job):
    """Load the ControlNet pipeline of the diffusers that is installed here."""
    base = Path(job["base"])
    parts = {
        "vae": diffusers.AutoencoderKL.from_pretrained(base / "vae"),
        "unet": diffusers.UNet2DConditionModel.from_pretrained(base / "unet"),
        "scheduler": diffusers.DDIMScheduler.from_pretrained(base / "scheduler"),
        "controlnet": [diffusers.ControlNetModel.from_pretrained(path) for path in job["controlnets"]],
        "text_encoder": transformers.CLIPTextModel.from_pretrained(base / "text_encoder"),
        "tokenizer": transformers.CLIPTokenizer.from_pretrained(base / "tokenizer"),
    }
    if job["xl"]:
        parts["text_encoder_2"] = transformers.CLIPTextModelWithProjection.from_pretrained(base / "text_encoder_2")
        parts["tokenizer_2"] = transformers.CLIPTokenizer.from_pretrained(base / "tokenizer_2")
        return diffusers.StableDiffusionXLControlNetPipeline(**parts, add_watermarker=False)
    return diffusers.StableDiffusionControlNetPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def run(job):
    """Return the latents (1, C, h, w) that the original package ends with."""
    kinds = {"plain": original.IPAdapter, "plus": original.IPAdapterPlus, "full": original.IPAdapterFull}
    kind = original.IPAdapterXL if job["xl"] else kinds[job["kind"]]
    adapter = kind(pipeline(job), job["encoder"], job["adapter"], "cpu", num_tokens=job["tokens"])
    adapter.pipe.set_progress_bar_config(disable=True)
    tensors = load_file(job["tensors"])
    return adapter.generate(
        pil_image=Image.open(job["picture"]).convert("RGB"),
        prompt=job["prompt"],
        negative_prompt=job["negative"],
        scale=job["scale"],
        num_samples=1,
        num_inference_steps=job["steps"],
        guidance_scale=job["guidance"],
        latents=tensors["noise"],
        image=[tensors[f"control.{number}"] for number in range(len(job["controlnets"]))],
        controlnet_conditioning_scale=[1.0] * len(job["controlnets"]),
        output_type="latent",
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        save_file({"latents": run(job).contiguous()}, job["latents"])
