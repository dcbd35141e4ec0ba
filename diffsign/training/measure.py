"""Measure a trained family on poses that it has not seen: does it show what words and pictures ask for, and hands?"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.pipelines.controlnet.pipeline_controlnet import StableDiffusionControlNetPipeline
from PIL import Image

from diffsign.config.training import MeasureSettings
from diffsign.files import atomic
from diffsign.progress import track
from diffsign.training.architecture import CLIP_SIZE, CONTROLS
from diffsign.training.attributes import COLOURS, SLEEVES, Attributes, caption
from diffsign.training.data import Sample, TrainingFrames
from diffsign.training.gbuffer import COARSE, LABEL
from diffsign.training.layout import ADAPTER_FILE, read_card

#: Labels whose colour shows an attribute.
SHOWN = {"shirt": ("torso", "sleeve"), "skin": ("face", "hand"), "hair": ("hair",), "background": ("background",)}
#: Fewer pixels than this show nothing.
LEAST = 40


def load_pipeline(folder: str | Path, threads: int = 1) -> StableDiffusionControlNetPipeline:
    """Return the stock pipeline with all three ControlNets, without the adapter."""
    torch.set_num_threads(threads)
    nets = [ControlNetModel.from_pretrained(Path(folder) / f"controlnet_{name}") for name in CONTROLS]
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(folder, controlnet=nets, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _pil(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(picture.transpose(1, 2, 0) * 255).astype(np.uint8))


def draw(
    pipeline: StableDiffusionControlNetPipeline,
    samples: list[Sample],
    texts: list[str],
    pictures: list[np.ndarray] | None,
    settings: MeasureSettings,
) -> np.ndarray:
    """Draw samples' poses, (N, 256, 256, 3) in [0, 1], every one from the same noise.

    Args:
        pipeline: with the adapter loaded if there are ``pictures``.
        samples: whose controls are followed.
        texts: one a sample.
        pictures: (3, H, W) in [0, 1], one a sample, or None.
        settings: how.
    """
    drawn = []
    # the pipeline shows all pictures that it is given to every sample of a batch
    batch = settings.batch if pictures is None else 1
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        control = [torch.from_numpy(np.stack([sample.controls[i] for sample in part])) for i in range(len(CONTROLS))]
        noise = torch.randn(1, 8, COARSE // 4, COARSE // 4, generator=torch.Generator().manual_seed(settings.seed))
        options: dict = {}
        if pictures is not None:
            shown = [_pil(picture) for picture in pictures[start : start + batch]]
            options["ip_adapter_image_embeds"] = _embeddings(pipeline, shown, settings.guidance_scale > 1)
        output = pipeline(
            texts[start : start + batch],
            image=control,  # type: ignore[arg-type]
            latents=noise.repeat(len(part), 1, 1, 1),
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            output_type="np",
            **options,
        )
        drawn.append(output.images)  # type: ignore[union-attr]
    return np.concatenate(drawn)


def _embeddings(
    pipeline: StableDiffusionControlNetPipeline, pictures: list[Image.Image], guided: bool
) -> list[torch.Tensor]:
    pixels = pipeline.feature_extractor(pictures, return_tensors="pt").pixel_values  # type: ignore[misc]
    with torch.inference_mode():
        embedding = pipeline.image_encoder(pixels).image_embeds[:, None]  # type: ignore[misc]
    return [torch.cat([torch.zeros_like(embedding), embedding]) if guided else embedding]


def _lab(colours: np.ndarray) -> np.ndarray:
    flat = np.asarray(colours, np.float32).reshape(1, -1, 3)
    return cv2.cvtColor(flat, cv2.COLOR_RGB2LAB).reshape(np.shape(colours))


def _mean(picture: np.ndarray, light: np.ndarray, label: np.ndarray, names: tuple[str, ...]) -> np.ndarray | None:
    """Return the colour of some labels as it would be in full light, (3,), or None where there is too little."""
    mask = np.isin(label, [LABEL[name] for name in names]).astype(np.uint8)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0
    if mask.sum() < LEAST:
        return None
    return np.clip(picture[mask].mean(axis=0) / light[mask].mean(), 0, 1)


def attributes_shown(
    picture: np.ndarray, attributes: Attributes, label: np.ndarray, light: np.ndarray
) -> dict[str, bool]:
    """Tell which attributes a picture shows: is its colour nearest (in CIELAB) to the one asked for?

    Args:
        picture: (256, 256, 3) in [0, 1].
        attributes: what was asked for.
        label: (256, 256) labels.
        light: (256, 256) how bright the rendering is there, which is divided out.

    Returns:
        For every attribute that is in view.
    """
    result = {}
    for name, labels in SHOWN.items():
        mean_colour = _mean(picture, light, label, labels)
        if mean_colour is None:
            continue
        values = list(COLOURS[name])
        away = np.linalg.norm(_lab(np.array([COLOURS[name][v] for v in values])) - _lab(mean_colour), axis=1)
        result[name] = values[int(away.argmin())] == getattr(attributes, name)
    arm = _mean(picture, light, label, ("arm",))
    if arm is not None:
        either = _lab(np.array([COLOURS["shirt"][attributes.shirt], COLOURS["skin"][attributes.skin]]))
        # a shirt of the skin's colour shows no sleeve
        if np.linalg.norm(either[0] - either[1]) > 20:
            nearest = SLEEVES[int(np.linalg.norm(either - _lab(arm), axis=1).argmin())]
            result["sleeves"] = nearest == attributes.sleeves
    return result


def _shares(rows: list[dict[str, bool]]) -> dict[str, float]:
    names = sorted({name for row in rows for name in row})
    shares = {name: round(float(np.mean([row[name] for row in rows if name in row])), 3) for name in names}
    return shares | {"all": round(float(np.mean([value for row in rows for value in row.values()])), 3)}


def _psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.square(a[mask] - b[mask]).mean(), 1e-10)))


def measure_family(folder: str | Path, data: str | Path, out: str | Path, settings: MeasureSettings) -> dict:
    """Draw from words, then from pictures alone, and write metrics and a grid.

    Args:
        folder: the family.
        data: frames that training did not see.
        out: ``.json``; beside it ``.png``: rendering, drawn from words, drawn from a picture, for sixteen poses.
        settings: how many and how.
    """
    card = read_card(folder)
    frames = TrainingFrames(data)
    rng = np.random.default_rng(settings.seed)
    numbers = rng.permutation(len(frames))[: settings.pictures].tolist()
    numbers += rng.integers(len(frames), size=settings.pictures - len(numbers)).tolist()
    wanted = [Attributes.random(rng) for _ in numbers]
    samples = [
        frames.sample(n, attributes, (0, 0), COARSE, None) for n, attributes in zip(numbers, wanted, strict=True)
    ]
    pictures = [frames.portrait(rng, attributes, 2 * CLIP_SIZE) for attributes in wanted]
    pipeline = load_pipeline(folder, settings.threads)
    drawn = {"words": draw(pipeline, samples, [caption(attributes) for attributes in wanted], None, settings)}
    pipeline.load_ip_adapter(str(folder), subfolder="ip_adapter", weight_name=ADAPTER_FILE)
    pipeline.set_ip_adapter_scale(settings.adapter_scale)
    drawn["picture"] = draw(pipeline, samples, [""] * len(samples), pictures, settings)

    rows: dict[str, list[dict[str, bool]]] = {name: [] for name in ("rendering", *drawn)}
    near: dict[str, list[float]] = {"hand_psnr": [], "face_psnr": [], "psnr": []}
    truth = np.stack([sample.picture.transpose(1, 2, 0) for sample in samples])
    for i, number in enumerate(track(numbers, "measuring")):
        frame = frames.frame(number)
        label = np.asarray(frame.label[::2, ::2])
        light = cv2.resize(np.asarray(frame.light, np.float32) / 200, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
        for name, images in {"rendering": truth, **drawn}.items():
            rows[name].append(attributes_shown(images[i], wanted[i], label, light))
        hand = label == LABEL["hand"]
        face = np.isin(label, [LABEL[n] for n in ("face", "brow", "eye", "iris", "lips", "mouth")])
        for name, mask in (("hand_psnr", hand), ("face_psnr", face), ("psnr", np.ones_like(hand))):
            if mask.sum() >= LEAST:
                near[name].append(_psnr(drawn["words"][i], truth[i], mask))
    metrics = {
        "family": card,
        "settings": settings.model_dump(),
        "prompt_accuracy": {name: _shares(values) for name, values in rows.items()},
        "words_against_rendering_db": {name: round(float(np.mean(values)), 2) for name, values in near.items()},
    }
    with atomic(out) as temporary:
        temporary.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    reference = np.stack([cv2.resize(p.transpose(1, 2, 0), (COARSE, COARSE)) for p in pictures])
    columns = [truth, drawn["words"], drawn["picture"], reference]
    with atomic(Path(out).with_suffix(".png")) as temporary:
        cv2.imwrite(str(temporary), _grid(columns, 12)[..., ::-1])
    return metrics


def _grid(columns: list[np.ndarray], count: int) -> np.ndarray:
    tiles = [np.concatenate([images[i] for images in columns], axis=1) for i in range(min(count, len(columns[0])))]
    half = (len(tiles) + 1) // 2
    tiles += [np.zeros_like(tiles[0])] * (2 * half - len(tiles))
    sheet = np.concatenate([np.concatenate(tiles[:half], axis=0), np.concatenate(tiles[half:], axis=0)], axis=1)
    return np.round(np.clip(sheet, 0, 1) * 255).astype(np.uint8)
