"""What :mod:`appearance` measures: attributes shown, poses kept, flicker, time, on frames that training did not see."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from diffsign.body.model import Body
from diffsign.config.appearance import Appearance
from diffsign.config.control import PoseControlSettings
from diffsign.config.detect import DetectSettings
from diffsign.config.family import ControlName, family_named, resolve_families
from diffsign.config.generate import FetchSettings, GenerateSettings
from diffsign.config.synthetic import SyntheticSettings
from diffsign.control.pose import skeletons_of_motion
from diffsign.detect.stage import detect_clip
from diffsign.evaluate.flicker import estimate_warp, warping_error
from diffsign.evaluate.legibility import found, part_agreement, presence
from diffsign.fetch.stage import fetch_family
from diffsign.generate.encode import encode_signer
from diffsign.generate.generator import Generator
from diffsign.models.sizing import Sizing
from diffsign.records.clip import write_clip
from diffsign.records.conditioning import Conditioning
from diffsign.records.keypoints import COUNT, Keypoints
from diffsign.records.manifest import Manifest
from diffsign.records.motion import Motion, load_motion, save_motion
from diffsign.synthetic.signer import perform
from diffsign.training.architecture import CONTROLS
from diffsign.training.attributes import CHOICES, Attributes, caption
from diffsign.training.data import TrainingFrames, merge_attributes, save_shard
from diffsign.training.gbuffer import COARSE, LABEL
from diffsign.training.layout import read_card
from diffsign.training.measure import attributes_shown
from diffsign.training.shards import make_shard, retarget, subset

#: Seeds of the signers; training's begin at 1000.
FIRST_SEED = 800_000
FPS = 24
HANDS = ("left_hand", "right_hand")


@dataclass(frozen=True)
class Held:
    """Clips that training did not see.

    Attributes:
        frames: all frames, one shard a clip.
        motions: of each clip; the camera is 512×512.
        starts: number of each clip's first frame.
    """

    frames: TrainingFrames
    motions: list[Motion]
    starts: list[int]

    def numbers(self, clip: int) -> range:
        """Return the numbers of a clip's frames."""
        return range(self.starts[clip], self.starts[clip] + len(self.motions[clip]))

    def controls(self, numbers: Sequence[int]) -> dict[ControlName, np.ndarray]:
        """Return the control pictures of frames, (N, 256, 256, 3) uint8 each."""
        frames = [self.frames.frame(number) for number in numbers]

        def grey(pictures: list[np.ndarray]) -> np.ndarray:
            return np.repeat(np.stack(pictures)[..., None], 3, axis=3)

        return {
            "pose": np.stack([frame.pose for frame in frames]),
            "canny": grey([frame.canny for frame in frames]),
            "depth": grey([frame.depth for frame in frames]),
        }

    def rendering(self, number: int, attributes: Attributes) -> np.ndarray:
        """Return a frame as it is rendered with some attributes, (256, 256, 3) in [0, 1]."""
        return self.frames.sample(number, attributes, (0, 0), COARSE, None).picture.transpose(1, 2, 0)

    def shows(self, number: int, attributes: Attributes, picture: np.ndarray) -> dict[str, bool]:
        """Tell which of ``attributes`` a picture of a frame shows."""
        frame = self.frames.frame(number)
        light = cv2.resize(np.asarray(frame.light, np.float32) / 200, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
        return attributes_shown(picture, attributes, np.asarray(frame.label[::2, ::2]), light)


def make_clips(body: Body, folder: Path, clips: int, length: int) -> Held:
    """Make what is not there yet of the held-out clips, and read them all."""
    motions = []
    for seed in range(FIRST_SEED, FIRST_SEED + clips):
        shard, motion = folder / f"{length}/shard-{seed}", folder / f"{length}/{seed}.npz"
        if not shard.exists():
            recipe = perform(SyntheticSettings(seed=seed, seconds=(length + 30) / FPS, fps=FPS)).truth.recipe
            assert recipe is not None
            # with more frames asked for than there are, all come, one after another; the first are still at rest
            shot = retarget(body, recipe.rotvecs, recipe.actions, len(recipe.rotvecs), seed, Appearance())  # type: ignore[call-arg]
            part = np.arange(len(shot.motion) - length, len(shot.motion))
            motion.parent.mkdir(parents=True, exist_ok=True)
            shot = type(shot)(subset(shot.motion, part), shot.signer, shot.rng)
            save_motion(motion, shot.motion)
            skeletons = skeletons_of_motion(shot.motion, body, PoseControlSettings())  # type: ignore[call-arg]
            save_shard(shard, make_shard(body, shot, skeletons))
        motions.append(load_motion(motion))
    frames = TrainingFrames(folder / str(length), range(FIRST_SEED, FIRST_SEED + clips))
    return Held(frames, motions, np.cumsum([0, *map(len, motions)]).tolist())


def manifest_of(folder: Path | None) -> Manifest:
    """Return the demo family's manifest: as it ships, or from another folder in its layout."""
    changes = {}
    if folder is not None:
        read_card(folder)
        base = {"id": str(folder.resolve())}
        changes = {
            "base": base,
            "controlnets": dict.fromkeys(CONTROLS, base),
            "ip_adapter": base | {"image_encoder": base},
            "clip": base,
        }
    family = family_named("demo", resolve_families({"demo": changes}))
    return fetch_family("demo", family, FetchSettings())  # type: ignore[call-arg]


class Artist:
    """Draws frames as ``diffsign generate`` does; the networks are loaded once for signers of one kind."""

    def __init__(self, manifest: Manifest, held: Held, settings: GenerateSettings) -> None:
        self.manifest, self.held, self.settings = manifest, held, settings
        self._generators: dict[tuple[bool, bool], Generator] = {}

    def signer(self, text: str | None = None, picture: Path | None = None) -> Conditioning:
        """Encode who signs."""
        return encode_signer(self.manifest, [picture] if picture else [], text, device="cpu")

    def draw(self, signer: Conditioning, numbers: Sequence[int]) -> np.ndarray:
        """Draw frames, (N, 256, 256, 3) uint8."""
        kind = signer.image_embeds is not None, signer.worded
        if kind not in self._generators:
            self._generators[kind] = Generator(self.manifest, signer, self.settings)
        generator = self._generators[kind]
        generator.conditioning = signer
        clips = self.held.controls(numbers)
        sizing = Sizing.of(COARSE, COARSE, generator.factor)
        wanted: dict[ControlName, np.ndarray] = {name: clips[name] for name in generator.controls}
        return np.stack(list(generator.frames(wanted, len(numbers), range(len(numbers)), sizing)))


def held_out_attributes(count: int, rng: np.random.Generator) -> list[Attributes]:
    """Draw attributes whose combination training never drew; every shirt comes in turn."""
    shirts = CHOICES["shirt"]
    people = []
    while len(people) < count:
        attributes = Attributes.random(rng, held=True)
        if attributes.shirt == shirts[len(people) % len(shirts)]:
            people.append(attributes)
    return people


def share(rows: list[dict[str, bool]], names: Sequence[str] | None = None) -> float | None:
    """Return how many of the attributes in view are as asked for, over all rows."""
    values = [value for row in rows for name, value in row.items() if names is None or name in names]
    return round(float(np.mean(values)), 4) if values else None


def prompt_accuracy(
    artist: Artist, people: list[Attributes], count: int, rng: np.random.Generator, work: Path
) -> tuple:
    """Draw everybody from words, from a picture alone, and from a picture with words that contradict it.

    Returns:
        Figures by name, and rows of pictures to look at: rendering, words, reference, from it, both.
    """
    held = artist.held
    rows: dict[str, list[dict[str, bool]]] = {name: [] for name in ("rendering", "words", "picture", "won", "kept")}
    sheet = []
    for number, attributes in enumerate(people):
        numbers = rng.choice(len(held.frames), count, replace=False).tolist()
        reference = work / f"reference-{number:03d}.png"
        portrait = held.frames.portrait(rng, attributes, 2 * 64).transpose(1, 2, 0)
        Image.fromarray(np.round(portrait * 255).astype(np.uint8)).save(reference)
        named = frozenset(rng.choice(list(CHOICES), 2, replace=False).tolist())
        said = Attributes.random(rng, held=None)
        while any(getattr(said, name) == getattr(attributes, name) for name in named):
            said = Attributes.random(rng, held=None)
        asked = merge_attributes(said, attributes, named)
        drawn = {
            "words": (attributes, artist.draw(artist.signer(caption(attributes)), numbers)),
            "picture": (attributes, artist.draw(artist.signer(picture=reference), numbers)),
            "both": (asked, artist.draw(artist.signer(caption(said, named=named), reference), numbers)),
        }
        for name, (wanted, pictures) in drawn.items():
            for frame, picture in zip(numbers, pictures, strict=True):
                shown = held.shows(frame, wanted, picture.astype(np.float32) / 255)
                if name == "both":
                    rows["won"].append({key: value for key, value in shown.items() if key in named})
                    rows["kept"].append({key: value for key, value in shown.items() if key not in named})
                else:
                    rows[name].append(shown)
        rows["rendering"] += [held.shows(frame, attributes, held.rendering(frame, attributes)) for frame in numbers]
        small = [cv2.resize((portrait * 255).astype(np.uint8), (COARSE, COARSE))]
        first = (held.rendering(numbers[0], attributes) * 255).astype(np.uint8)
        sheet.append(np.hstack([first, drawn["words"][1][0], *small, drawn["picture"][1][0], drawn["both"][1][0]]))
    figures = {}
    for name, key in (("rendering", "rendering"), ("words", "words"), ("picture", "picture")):
        figures |= {f"{key}_{attribute}": share(rows[name], [attribute]) for attribute in CHOICES}
        figures[f"{key}_all"] = share(rows[name])
    figures["both_words_win"] = share(rows["won"])
    figures["both_picture_kept"] = share(rows["kept"])
    return figures, sheet


def keypoints_of(pictures: np.ndarray, work: Path, threads: int) -> Keypoints:
    """Run the detector over pictures (N, H, W, 3) uint8 as over a clip."""
    clip = work / "detected.mkv"
    write_clip(clip, pictures, FPS)
    return detect_clip(clip, DetectSettings(require_person=False), threads)  # type: ignore[call-arg]


def true_keypoints(body: Body, motion: Motion) -> Keypoints:
    """Project a motion's keypoints into the pictures."""
    points = np.ones((len(motion), COUNT, 3), np.float32)
    points[..., :2] = motion.camera.project(body.keypoints(motion)) * (COARSE / motion.camera.width)
    # the legs are below the picture's edge
    points[..., 2] = ((points[..., :2] >= 0) & (points[..., :2] < COARSE)).all(axis=-1)
    return Keypoints(points, FPS, COARSE, COARSE)


def flicker(rendering: np.ndarray, pictures: np.ndarray, signer: np.ndarray) -> tuple[float, float]:
    """Return the mean warping error of a rendering and of pictures (N, H, W, 3) uint8, inside the signer."""
    errors = []
    for before, after in zip(range(len(pictures) - 1), range(1, len(pictures)), strict=True):
        grey = [cv2.cvtColor(rendering[i], cv2.COLOR_RGB2GRAY) for i in (before, after)]
        warp = estimate_warp(*grey)
        errors.append([warping_error(clip[before], clip[after], warp, signer[after]) for clip in (rendering, pictures)])
    mean = np.nanmean(errors, axis=0)
    return float(mean[0]), float(mean[1])


def clip_accuracy(artist: Artist, body: Body, people: list[Attributes], work: Path, threads: int) -> dict[str, float]:
    """Draw whole clips from words: poses, hands, flicker, time."""
    held, detections = artist.held, {"truth": [], "rendering": [], "result": []}
    errors, seconds, cpu = [], [], []
    for clip, motion in enumerate(held.motions):
        numbers, attributes = held.numbers(clip), people[clip % len(people)]
        signer = artist.signer(caption(attributes))
        started, used = time.perf_counter(), time.process_time()
        pictures = artist.draw(signer, numbers)
        seconds.append((time.perf_counter() - started) / len(numbers))
        cpu.append((time.process_time() - used) / len(numbers))
        rendering = np.stack([np.round(held.rendering(n, attributes) * 255).astype(np.uint8) for n in numbers])
        mask = np.stack([held.frames.frame(n).label[::2, ::2] != LABEL["background"] for n in numbers])
        errors.append(flicker(rendering, pictures, mask))
        write_clip(work / f"clip-{clip}.mkv", np.concatenate([rendering, pictures], axis=2), FPS)
        detections["truth"].append(true_keypoints(body, motion))
        detections["rendering"].append(keypoints_of(rendering, work, threads))
        detections["result"].append(keypoints_of(pictures, work, threads))
    pck = {
        name: np.concatenate(
            [part_agreement(a, b, "body").correct for a, b in zip(detections["truth"], detections[name], strict=True)]
        )
        for name in ("rendering", "result")
    }
    hands = {
        name: np.concatenate([found(points, hand) for points in detections[name] for hand in HANDS])
        for name in ("rendering", "result")
    }
    base, error = np.mean(errors, axis=0)
    return {
        # nobody found counts as nothing right
        "body_pck": float(np.nan_to_num(pck["result"]).mean()),
        "body_pck_rendering": float(np.nan_to_num(pck["rendering"]).mean()),
        "hands_found": float(hands["result"].mean()),
        "hands_found_rendering": float(hands["rendering"].mean()),
        "hands_below_rendering": float(hands["rendering"].mean() - hands["result"].mean()),
        "hands_redetected": presence(hands["rendering"], hands["result"]).recall,
        "warping_error": float(error),
        "warping_error_rendering": float(base),
        "flicker": float(error / base),
        "seconds_for_72_frames": 72 * float(np.mean(seconds)),
        "processor_seconds_for_72_frames": 72 * float(np.mean(cpu)),
    }
