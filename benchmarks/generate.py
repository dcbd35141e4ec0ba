"""Speed and memory of generating a clip, beside the way of the released scripts, with the same weights and noise.

    python benchmarks/generate.py --json generate.json                                       # demo family, 2 CPU cores
    python benchmarks/generate.py --json generate.json --family sd15 --size 1024 --steps 60  # a GPU

The released way builds the adapter and the encoders of words and pictures anew for every frame and denoises frames one
by one. Ours encodes a signer once and denoises frames in batches, through :mod:`diffsign.models.sampler`, which is
what ``diffsign generate`` runs, and on a CPU in as many one-thread jobs as there are cores, as ``chunks`` of the config
makes them. Both start from the same networks, already loaded; what each builds beyond them is in its time. Each runs in
processes of its own, so that its peak memory is its own; of several jobs the memory is summed.

A last row is faster at a price, and reported apart: on a CPU the same in bfloat16, on a GPU a preset of fewer steps.

Needs torch, diffusers and transformers, nothing else. Without ``--weights`` the family sd15 has random weights in the
published configuration: speed and memory do not depend on what the weights are.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from diffsign.models import published  # noqa: E402
from diffsign.models.sampler import Sampling, denoise, in_channels_last  # noqa: E402
from diffsign.records.conditioning import Conditioning  # noqa: E402

DEMO = ROOT / "diffsign" / "weights" / "demo"
SEED = 42
PROMPT, NEGATIVE = "best quality, high quality", "monochrome, lowres, bad anatomy, worst quality, low quality"
ADAPTER_SCALE = 0.6
WAYS = ("released", "ours", "faster")


@dataclass(frozen=True)
class Setting:
    """What is generated: the paper's settings of a family.

    Attributes:
        controls: folders of the ControlNets.
        adapter: file of the IP-Adapter.
        size: pixels of a side.
        steps: denoising steps.
        guidance_scale: up to 1 is off.
        scheduler: class in diffusers.
        schedule: what differs from the base model's schedule.
        batch_size: frames that ours denoises together.
        fewer_steps: scheduler, steps and guidance scale of a faster preset.
    """

    controls: tuple[str, ...]
    adapter: str
    size: int
    steps: int
    guidance_scale: float
    scheduler: str
    schedule: dict[str, Any]
    batch_size: int
    fewer_steps: tuple[str, int, float] | None = None


FAMILIES = {
    "demo": Setting(
        controls=("controlnet_pose", "controlnet_canny", "controlnet_depth"),
        adapter="ip_adapter/ip-adapter_demo.safetensors",
        size=256,
        steps=1,
        guidance_scale=1.0,
        scheduler="DDIMScheduler",
        schedule={},
        batch_size=4,
    ),
    "sd15": Setting(
        controls=("controlnet_pose", "controlnet_canny"),
        adapter="ip_adapter/ip-adapter_sd15.safetensors",
        size=1024,
        steps=60,
        guidance_scale=7.5,
        scheduler="DDIMScheduler",
        schedule={"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1},
        batch_size=8,
        fewer_steps=("LCMScheduler", 6, 1.5),
    ),
}


def drawn_controls(frame: int, count: int, size: int) -> list[np.ndarray]:
    """Draw the controls of a figure that waves, (H, W, 3) uint8: sticks, edges, and soft sticks in place of depth."""
    sticks, edges, depth = (Image.new("RGB", (size, size)) for _ in range(3))
    swing = np.sin(frame / 4)
    hand = (0.75 + 0.1 * swing, 0.45 - 0.25 * swing)
    bones = [((0.5, 0.25), (0.5, 0.8)), ((0.3, 0.45), (0.7, 0.45)), ((0.7, 0.45), hand), ((0.3, 0.45), (0.25, 0.75))]
    for number, bone in enumerate(bones):
        points = [(x * size, y * size) for x, y in bone]
        colour = tuple(int(128 + 127 * np.cos(number + shift)) for shift in (0, 2, 4))
        ImageDraw.Draw(sticks).line(points, fill=colour, width=max(2, size // 64))
        ImageDraw.Draw(depth).line(points, fill=(200,) * 3, width=size // 6)
        for shift in (-size // 12, size // 12):
            ImageDraw.Draw(edges).line([(x + shift, y) for x, y in points], fill=(255,) * 3, width=1)
    depth = depth.filter(ImageFilter.GaussianBlur(size / 40))
    return [np.asarray(picture) for picture in (sticks, edges, depth)][:count]


def write_random_sd15(folder: Path, dtype: torch.dtype) -> None:
    """Write SD 1.5, two ControlNets, CLIP ViT-H and an IP-Adapter with random weights, in the published sizes."""

    def save(make: Callable[[], Any], name: str) -> Any:
        with torch.device("meta"):
            network = make()
        network = network.to(dtype).to_empty(device="cpu")
        for key, parameter in network.named_parameters():
            if parameter.ndim > 1:
                parameter.data.normal_(std=parameter[0].numel() ** -0.5)
            else:
                parameter.data.fill_(float(key.endswith("weight")))
        for key, buffer in network.named_buffers():
            if key.endswith("position_ids"):
                buffer.copy_(torch.arange(buffer.shape[-1])[None])
        network.save_pretrained(folder / name)
        return network

    torch.manual_seed(SEED)
    unet = save(lambda: diffusers.UNet2DConditionModel(**published.UNET["sd15"]), "unet")
    for name in FAMILIES["sd15"].controls:
        save(lambda: diffusers.ControlNetModel(**published.CONTROLNET["sd15"]), name)
    save(lambda: diffusers.AutoencoderKL(**published.VAE["sd15"]), "vae")
    text = transformers.CLIPTextConfig(**published.TEXT_ENCODERS["sd15"][0])
    save(lambda: transformers.CLIPTextModel(text), "text_encoder")
    vision = transformers.CLIPVisionConfig(**published.VIT_H)
    save(lambda: transformers.CLIPVisionModelWithProjection(vision), "image_encoder")
    transformers.CLIPTokenizer.from_pretrained(DEMO / "tokenizer").save_pretrained(folder / "tokenizer")
    transformers.CLIPImageProcessor().save_pretrained(folder / "feature_extractor")
    schedule = published.SCHEDULE | FAMILIES["sd15"].schedule
    diffusers.DDIMScheduler(**schedule).save_pretrained(folder / "scheduler")
    layers = {
        name: unet.get_submodule(name.removesuffix(".processor")).to_q.out_features for name in unet.attn_processors
    }
    adapter = published.plain_adapter_shapes(layers, published.UNET["sd15"]["cross_attention_dim"])
    path = folder / FAMILIES["sd15"].adapter
    path.parent.mkdir(parents=True)
    save_file({name: (torch.randn(shape) * 0.02).to(dtype) for name, shape in adapter.items()}, path)


class Networks:
    """A family's networks, read from one folder in the hub's layout: what both ways start from."""

    def __init__(self, folder: Path, setting: Setting, device: str, dtype: torch.dtype) -> None:
        self.folder, self.setting, self.device, self.dtype = folder, setting, device, dtype
        vae = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))["_class_name"]
        schedule = getattr(diffusers, setting.scheduler).load_config(folder / "scheduler")
        self.pipeline: Any = diffusers.StableDiffusionControlNetPipeline(
            vae=self.read(getattr(diffusers, vae), "vae"),
            unet=self.read(diffusers.UNet2DConditionModel, "unet"),
            controlnet=diffusers.MultiControlNetModel(
                [self.read(diffusers.ControlNetModel, name) for name in setting.controls]
            ),
            scheduler=getattr(diffusers, setting.scheduler).from_config(schedule, **setting.schedule),
            text_encoder=None,
            tokenizer=transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer"),
            feature_extractor=transformers.CLIPImageProcessor.from_pretrained(folder / "feature_extractor"),
            safety_checker=None,
            requires_safety_checker=False,
        ).to(device)
        self.pipeline.set_progress_bar_config(disable=True)

    def read(self, kind: Any, name: str) -> Any:
        """Read one network from the folder."""
        return kind.from_pretrained(self.folder / name, torch_dtype=self.dtype).to(self.device)

    def build_signer(self, picture: Image.Image) -> None:
        """Build adapter and encoders into the pipeline, as the released scripts do for every frame."""
        self.pipeline.text_encoder = self.read(transformers.CLIPTextModel, "text_encoder")
        self.pipeline.image_encoder = self.read(transformers.CLIPVisionModelWithProjection, "image_encoder")
        state: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
        for name, tensor in load_file(self.folder / self.setting.adapter).items():
            part, _, rest = name.partition(".")
            state[part][rest] = tensor
        if getattr(self.pipeline.unet, "encoder_hid_proj", None) is not None:
            self.pipeline.unet.encoder_hid_proj = None
            self.pipeline.unet.set_default_attn_processor()
        self.pipeline.load_ip_adapter(state, subfolder="", weight_name="", image_encoder_folder=None)
        self.pipeline.unet.to(device=self.device, dtype=self.dtype)
        self.pipeline.set_ip_adapter_scale(ADAPTER_SCALE)


def released(networks: Networks, picture: Image.Image, drawn: list[list[np.ndarray]]) -> np.ndarray:
    """Generate frames one by one, adapter and encoders built anew for each: (T, H, W, 3) float32."""
    setting, made = networks.setting, []
    for pictures in drawn:
        networks.build_signer(picture)
        controls = [Image.fromarray(control) for control in pictures]
        result = networks.pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            image=controls,
            ip_adapter_image=picture,
            height=setting.size,
            width=setting.size,
            num_inference_steps=setting.steps,
            guidance_scale=setting.guidance_scale,
            controlnet_conditioning_scale=[1.0] * len(controls),
            generator=torch.Generator("cpu").manual_seed(SEED),
            output_type="np",
        )
        made.append(result.images[0])
    return np.stack(made)


@torch.inference_mode()
def encoded(networks: Networks, picture: Image.Image) -> Conditioning:
    """Encode the signer once, and let the encoders go."""
    networks.build_signer(picture)
    pipeline = networks.pipeline
    prompt, negative = pipeline.encode_prompt(PROMPT, networks.device, 1, True, NEGATIVE)
    seen, unseen = pipeline.encode_image(picture, networks.device, 1)
    pipeline.text_encoder = pipeline.image_encoder = None
    return Conditioning("", PROMPT, NEGATIVE, False, (), prompt, negative, None, None, seen[None], unseen[None])


def ours(networks: Networks, picture: Image.Image, drawn: list[list[np.ndarray]]) -> np.ndarray:
    """Generate frames in batches for a signer encoded once: (T, H, W, 3) float32."""
    setting, made = networks.setting, []
    signer = encoded(networks, picture)
    in_channels_last(networks.pipeline)
    sampling = Sampling(setting.steps, setting.guidance_scale, (1.0,) * len(setting.controls))
    unet, factor = networks.pipeline.unet, networks.pipeline.vae_scale_factor
    shape = (1, unet.config.in_channels, setting.size // factor, setting.size // factor)
    for start in range(0, len(drawn), setting.batch_size):
        batch = drawn[start : start + setting.batch_size]
        controls = [np.stack(pictures) for pictures in zip(*batch, strict=True)]
        generators = [torch.Generator("cpu").manual_seed(SEED) for _ in batch]
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        made.append(denoise(networks.pipeline, sampling, signer, noise, generators, controls))
    return np.concatenate(made)


def peak_bytes(device: str) -> int:
    """Return the most memory that this process has held: on the GPU if it computes there, else in main memory."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def work(arguments: argparse.Namespace) -> None:
    """Run one way in this process; leave its frames and figures in ``--out``."""
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    setting = chosen(arguments)
    networks = Networks(arguments.weights, setting, arguments.device, getattr(torch, arguments.dtype))
    picture = Image.open(ROOT / "config" / "demo" / "reference.png").convert("RGB")
    if arguments.way == "faster" and setting.fewer_steps is not None:
        scheduler = getattr(diffusers, setting.fewer_steps[0])
        networks.pipeline.scheduler = scheduler.from_config(networks.pipeline.scheduler.config)
    drawn = [drawn_controls(frame, len(setting.controls), setting.size) for frame in part_of(arguments)]
    generate = released if arguments.way == "released" else ours
    start, processor = time.time(), time.process_time()
    frames = generate(networks, picture, drawn)
    figures = {
        "start": start,
        "stop": time.time(),
        "processor_seconds": time.process_time() - processor,
        "peak_bytes": peak_bytes(arguments.device),
    }
    np.save(arguments.out / "frames.npy", np.round(frames.astype(np.float32) * 255))
    (arguments.out / "figures.json").write_text(json.dumps(figures))


def part_of(arguments: argparse.Namespace) -> range:
    """Return the frames of this job: whole batches, as chunks of a clip are."""
    job, jobs = arguments.job
    size = chosen(arguments).batch_size
    batches = -(-arguments.frames // size)
    first, last = job * batches // jobs, (job + 1) * batches // jobs
    return range(first * size, min(last * size, arguments.frames))


def chosen(arguments: argparse.Namespace) -> Setting:
    """Return the family's setting with what the command line changes."""
    setting = FAMILIES[arguments.family]
    changes = {name: getattr(arguments, name) for name in ("size", "steps", "guidance_scale", "batch_size")}
    if arguments.way == "faster" and setting.fewer_steps is not None:
        changes |= {"steps": setting.fewer_steps[1], "guidance_scale": setting.fewer_steps[2]}
    return Setting(**{**vars(setting), **{name: value for name, value in changes.items() if value is not None}})


def run(way: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], np.ndarray]:
    """Run one way once, in new processes; return its figures and its frames."""
    jobs = 1 if way == "released" or arguments.device == "cuda" else arguments.threads
    threads = str(arguments.threads // jobs)
    dtype = "bfloat16" if way == "faster" and arguments.device == "cpu" else arguments.dtype
    command = [sys.executable, __file__, "--way", way, "--dtype", dtype, "--threads", threads]
    for name in ("family", "weights", "frames", "device", "size", "steps", "guidance_scale", "batch_size"):
        if getattr(arguments, name) is not None:
            command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / str(job) for job in range(jobs)]
        processes = []
        for job, out in enumerate(outs):
            out.mkdir()
            own = ["--out", str(out), "--job", str(job), str(jobs)]
            processes.append(subprocess.Popen([*command, *own], env=environment))
        if any(process.wait() for process in processes):
            raise SystemExit(f"{way}: a job failed; its own message is above")
        figures = [json.loads((out / "figures.json").read_text()) for out in outs]
        frames = np.concatenate([np.load(out / "frames.npy") for out in outs])
    seconds = max(part["stop"] for part in figures) - min(part["start"] for part in figures)
    together = {
        "seconds": seconds,
        "frames_per_second": arguments.frames / seconds,
        "processor_seconds": sum(part["processor_seconds"] for part in figures),
        "peak_bytes": sum(part["peak_bytes"] for part in figures),
        "jobs": jobs,
        "dtype": dtype,
    }
    return together, frames


def measure(arguments: argparse.Namespace) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Run all ways in turn, ``--repeats`` times; return the run of median time of each, and the frames of the last."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    frames: dict[str, np.ndarray] = {}
    for _ in range(arguments.repeats):
        for way in WAYS:
            figures, frames[way] = run(way, arguments)
            runs[way].append(figures)
    median = {
        way: sorted(found, key=lambda figures: figures["seconds"])[len(found) // 2] for way, found in runs.items()
    }
    for way in WAYS:
        median[way] |= {
            f"times_faster_by_{name}": median["released"][name] / median[way][name]
            for name in ("seconds", "processor_seconds")
        }
        median[way]["max_difference_of_255"] = float(np.abs(frames[way] - frames["released"]).max())
    return median, frames


def main() -> None:
    """Measure both ways, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--family", choices=FAMILIES, default="demo")
    parser.add_argument("--weights", type=Path, help="folder of the family in the hub's layout; by default the shipped")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, help="pixels of a side")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance-scale", type=float)
    parser.add_argument("--batch-size", type=int, help="frames that ours denoises together")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="CPU cores")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--job", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.dtype = arguments.dtype or ("float16" if arguments.device == "cuda" else "float32")
    if arguments.way:
        work(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.weights is None:
            arguments.weights = DEMO if arguments.family == "demo" else Path(folder)
            if arguments.family != "demo":
                write_random_sd15(Path(folder), getattr(torch, arguments.dtype))
        ways, _ = measure(arguments)
    setting = chosen(arguments)
    report = {
        "family": arguments.family,
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else f"cpu, {arguments.threads} cores",
        "frames": arguments.frames,
        "size": setting.size,
        "steps": setting.steps,
        "batch_size": setting.batch_size,
        "ways": ways,
        "versions": {module.__name__: module.__version__ for module in (torch, diffusers, transformers)},
    }
    for way, found in ways.items():
        print(  # noqa: T201
            f"{way:9} {found['dtype']:9} {found['frames_per_second']:7.3f} frames/s, {found['processor_seconds']:6.1f} "
            f"CPU s, {found['peak_bytes'] / 2**30:5.2f} GiB; {found['times_faster_by_seconds']:5.2f} × as fast "
            f"({found['times_faster_by_processor_seconds']:.2f} × by CPU time), "
            f"differs by at most {found['max_difference_of_255']:g} of 255"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
