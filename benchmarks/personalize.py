"""What a LoRA of a few pictures gives that words do not.

    python benchmarks/personalize.py --json personalize.json --picture personalize.jpg

A designed character, rendered by this project: teal skin, and a shirt that is orange on the signer's left and purple on
the right. The family is taught it from six pictures by ``diffsign personalize``; then signers of another shape, in
poses that were not among the pictures, are drawn from words alone and with the LoRA. Reported are the distance of the
mean colours of skin and of both halves of the shirt from the character's (CIE 1976, 0 is equal, 2.3 just noticeable),
CLIP's similarity to the character's pictures, and how far the LoRA changes a person who is not the character.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import transformers
from PIL import Image
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file

from diffsign.body.model import Body, load_body
from diffsign.config.control import PoseControlSettings
from diffsign.config.family import resolve_families
from diffsign.config.generate import FetchSettings, GenerateSettings
from diffsign.config.personalize import PersonalizeSettings
from diffsign.config.synthetic import SyntheticSettings
from diffsign.control.pose import skeletons_of_motion
from diffsign.errors import DiffSignError
from diffsign.fetch.stage import fetch_family
from diffsign.files import atomic
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.generate.windows import batch_windows
from diffsign.geometry.visibility import rasterise
from diffsign.models.sizing import Sizing
from diffsign.personalize.subject import TrainingSubject
from diffsign.personalize.training import Personalization
from diffsign.records.manifest import Manifest
from diffsign.synthetic.signer import perform
from diffsign.training.attributes import Attributes, caption
from diffsign.training.gbuffer import COARSE, LABEL, colour, crop_sums, make_gbuffer, palette
from diffsign.training.shards import retarget

COLOURS = {
    "skin": (0.16, 0.60, 0.60),
    "hair": (0.34, 0.20, 0.11),
    "background": (0.60, 0.60, 0.61),
    "iris": (0.25, 0.16, 0.10),
    "trousers": (0.16, 0.17, 0.22),
}
LEFT, RIGHT = (0.95, 0.50, 0.10), (0.46, 0.18, 0.60)
SHIRT = [LABEL[name] for name in ("torso", "sleeve", "arm")]
SKIN = [LABEL[name] for name in ("face", "neck", "hand")]

RARE = "zwx"
WORDS = {
    "words alone": "a person with teal skin, brown hair, in an orange and purple long-sleeved shirt, grey background",
    "LoRA": f"a {RARE} person",
}
#: What the family should still draw as before: people of every kind that its words tell apart.
CLASS_PROMPTS = ";".join(caption(Attributes.random(np.random.default_rng(seed))) for seed in range(12))
#: A small family needs a LoRA of all layers and a larger step than the defaults, which are Stable Diffusion's.
SETTINGS = {"steps": 240, "learning_rate": 1e-3, "layers": "all", "prior_pictures": 24, "device": "cpu"}
OTHER = "a person with tan skin and black hair, in a green long-sleeved shirt, white background"


@dataclass(frozen=True)
class View:
    """The character in one pose: 256×256.

    Attributes:
        picture: (256, 256, 3) uint8, rendered.
        regions: (256, 256) bool by name: where skin and the two halves of the shirt are, borders left out.
        controls: (256, 256, 3) uint8 by name.
    """

    picture: np.ndarray
    regions: dict[str, np.ndarray]
    controls: dict[str, np.ndarray]


def views(body: Body, seed: int, count: int) -> list[View]:
    """Render the character in ``count`` poses of a phrase; the seed draws phrase, body and camera."""
    recipe = perform(SyntheticSettings(seed=seed, seconds=4, fps=12)).truth.recipe
    assert recipe is not None
    shot = retarget(body, recipe.rotvecs, recipe.actions, count, seed)
    skeletons = skeletons_of_motion(shot.motion, body, PoseControlSettings())
    tables = [palette({k: np.array(v) for k, v in (COLOURS | {"shirt": s}).items()}, "long") for s in (LEFT, RIGHT)]
    made = []
    for vertices, skeleton in zip(body.vertices(shot.motion), skeletons, strict=True):
        gbuffer = make_gbuffer(shot.signer, vertices, shot.motion.camera, skeleton, np.random.default_rng(0))
        shell = np.concatenate([part[0] for part in shot.signer.outfit.positions(vertices[None])]).astype(np.float64)
        raster = rasterise(shell, shot.signer.faces, shot.motion.camera)
        seen = raster.face >= 0
        left = np.zeros(seen.shape, bool)
        corners = shot.signer.rest[shot.signer.faces[raster.face[seen]], 0]
        left[seen] = np.einsum("nk,nk->n", raster.weights[seen], corners) > 0
        light = gbuffer.light.astype(np.float32) / 200
        fine = np.where(left[..., None], *(colour(gbuffer.label, light, table) for table in tables))
        cloth, skin = np.isin(gbuffer.label, SHIRT), np.isin(gbuffer.label, SKIN)
        regions = {"skin": skin, "shirt, left": cloth & left, "shirt, right": cloth & ~left}
        made.append(
            View(
                picture=np.round(crop_sums(fine) * 255).astype(np.uint8),
                regions={
                    name: cv2.erode(mask.astype(np.uint8), np.ones((9, 9)))[::2, ::2] > 0
                    for name, mask in regions.items()
                },
                controls={
                    "pose": gbuffer.pose,
                    "canny": np.repeat(gbuffer.canny[..., None], 3, axis=2),
                    "depth": np.repeat(gbuffer.depth[..., None], 3, axis=2),
                },
            )
        )
    return made


def drawn(manifest: Manifest, text: str, tests: list[View], lora: Path | None = None) -> np.ndarray:
    """Draw a signer given by words in the poses of ``tests``: (N, 256, 256, 3) uint8."""
    signer = encode_signer(manifest, text=text, device="cpu", loras=[str(lora)] if lora else [])
    generator = Generator(manifest, signer, GenerateSettings(device="cpu"))
    controls = {name: np.stack([view.controls[name] for view in tests]) for name in generator.controls}
    sizing = Sizing.of(COARSE, COARSE, generator.factor)
    pictures = [
        generator.generate(window, {name: clip[list(window.frames)] for name, clip in controls.items()}, sizing)
        for window in batch_windows(len(tests), 8)
    ]
    return sizing.result(np.concatenate(pictures))


def colour_distances(pictures: np.ndarray, tests: list[View]) -> dict[str, float]:
    """Return the mean distance in CIELAB between mean colours of each region, drawn and rendered."""
    apart: dict[str, list[float]] = {name: [] for name in tests[0].regions}
    for picture, view in zip(pictures, tests, strict=True):
        for name, mask in view.regions.items():
            if mask.sum() >= 50:
                means = [p[mask].mean(axis=0, dtype=np.float32) / 255 for p in (picture, view.picture)]
                first, second = (cv2.cvtColor(mean[None, None], cv2.COLOR_RGB2LAB)[0, 0] for mean in means)
                apart[name].append(float(np.linalg.norm(first - second)))
    return {name: float(np.mean(values)) for name, values in apart.items()}


def clip_similarity(manifest: Manifest, pictures: np.ndarray, references: list[np.ndarray]) -> float:
    """Return the mean cosine between embeddings of pictures and of the character's, by the family's own CLIP."""
    assert manifest.clip is not None
    clip = transformers.CLIPModel.from_pretrained(manifest.clip.path).eval()
    processor = transformers.CLIPImageProcessor.from_pretrained(manifest.clip.path)

    def embedded(images: list[np.ndarray]) -> torch.Tensor:
        pixels = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt").pixel_values
        with torch.no_grad():
            seen = clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output)
        return torch.nn.functional.normalize(seen, dim=-1)

    return float((embedded(list(pictures)) @ embedded(references).T).mean())


def sheet(rows: dict[str, np.ndarray], path: Path) -> None:
    """Write rows of pictures with their names above."""
    lines = []
    for name, pictures in rows.items():
        picked = np.linspace(0, len(pictures) - 1, 6).round().astype(int)
        line = np.hstack([cv2.resize(pictures[i], (160, 160), interpolation=cv2.INTER_AREA) for i in picked])
        title = np.full((20, line.shape[1], 3), 255, np.uint8)
        cv2.putText(title, name, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        lines += [title, line]
    Image.fromarray(np.vstack(lines)).save(path, quality=90)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="figures to write")
    parser.add_argument("--picture", type=Path, help="before and after, to look at (.jpg or .png)")
    parser.add_argument("--body", type=Path, default=Path("resources/body/body.npz"), help="from `diffsign body build`")
    parser.add_argument("--work", type=Path, default=Path("results/personalize"), help="folder for pictures and LoRA")
    parser.add_argument("--tests", type=int, default=12, help="poses that are drawn")
    parser.add_argument("--settings", default="{}", help="JSON laid over the settings of diffsign personalize")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    body = load_body(options.body)
    family = resolve_families()["demo"]
    manifest = fetch_family("demo", family, FetchSettings(clip=True, ip_adapter=False))
    shown, tests = views(body, 501, 6), views(body, 502, options.tests)
    folder = options.work / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for number, view in enumerate(shown):
        for name, picture in {"png": view.picture, **{f"{k}.png": v for k, v in view.controls.items()}}.items():
            Image.fromarray(picture).save(folder / f"{number}.{name}")
    settings = PersonalizeSettings(**SETTINGS | json.loads(options.settings))
    started, computed = time.monotonic(), time.process_time()
    subject = TrainingSubject.of([folder], WORDS["LoRA"], CLASS_PROMPTS)
    tensors = Personalization(manifest, subject, options.work / "lora", settings).train()
    seconds, processor = time.monotonic() - started, time.process_time() - computed
    lora = options.work / "lora.safetensors"
    save_file(tensors, lora)

    references = [view.picture for view in shown]
    rows = {"pictures of the character": np.stack(references)}
    figures: dict[str, dict[str, float]] = {}
    for name, text in WORDS.items():
        rows[name] = drawn(manifest, text, tests, lora if name == "LoRA" else None)
        figures[name] = colour_distances(rows[name], tests)
        figures[name]["CLIP similarity"] = clip_similarity(manifest, rows[name], references)
    rows["the character itself, rendered"] = np.stack([view.picture for view in tests])
    figures["rendered"] = colour_distances(rows["the character itself, rendered"], tests)
    figures["rendered"]["CLIP similarity"] = clip_similarity(
        manifest, rows["the character itself, rendered"], references
    )
    others = [drawn(manifest, OTHER, tests, which) for which in (None, lora)]
    rows |= dict(zip(("someone else, without the LoRA", "someone else, with the LoRA"), others, strict=True))
    changed = float(np.abs(others[0].astype(float) - others[1]).mean())

    if options.picture:
        options.picture.parent.mkdir(parents=True, exist_ok=True)
        sheet(rows, options.picture)
    result = {
        "figures": figures,
        "someone_else_changed": changed,
        "seconds": seconds,
        "processor_seconds": processor,
        "pictures": len(shown),
        "tests": len(tests),
        "settings": settings.model_dump(mode="json"),
        "megabytes": lora.stat().st_size / 1e6,
    }
    with atomic(options.json) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    table = Table(title=f"{len(tests)} poses; trained for {seconds:.0f} s ({processor:.0f} s of processor time)")
    for column in ("", *figures["rendered"]):
        table.add_column(column, justify="right" if column else "left")
    for name, values in figures.items():
        table.add_row(name, *(f"{value:.1f}" if abs(value) > 1.5 else f"{value:.3f}" for value in values.values()))
    console = Console()
    console.print(table)
    console.print(f"Someone else changes by {changed:.1f} of 255 (mean over pixels and channels).")


if __name__ == "__main__":
    try:
        main()
    except DiffSignError as error:
        sys.exit(f"Error: {error}")
