"""Measure one result: is the signing still there, the picture steady, the signer the one asked for?"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
import transformers
from PIL import Image

from diffsign import __version__
from diffsign.config.evaluate import EvaluateSettings
from diffsign.config.family import PACKAGE
from diffsign.errors import DiffSignError
from diffsign.evaluate.back_translation import Shown, translated
from diffsign.evaluate.faces import make_recogniser
from diffsign.evaluate.frames import ROLES, measure
from diffsign.evaluate.inception import Inception
from diffsign.evaluate.legibility import scale_to
from diffsign.evaluate.moments import draw_moments, save_moments
from diffsign.evaluate.networks import CLIPEncoder
from diffsign.evaluate.on_faces import Faces, anonymity, no_faces
from diffsign.evaluate.on_keypoints import legibility
from diffsign.evaluate.on_networks import perceptual_distance, video_distance, without_weights
from diffsign.evaluate.on_pictures import NO_CLIP, likeness, similarities, steadiness
from diffsign.evaluate.on_signing import signing, worst_moments
from diffsign.records.clip import ClipInfo, probe_clip
from diffsign.records.keypoints import Keypoints, load_keypoints
from diffsign.records.manifest import Manifest, is_untrained, load_manifest
from diffsign.records.metrics import NO_FILM, Evaluation, Metric, save_metrics, to_series
from diffsign.records.picture import read_picture
from diffsign.records.shots import shot_starts

log = logging.getLogger(__name__)

#: Metrics that look at the source's pictures.
OF_SOURCE_PICTURES = (
    "ssim_successive_source",
    "ssim_successive_border_source",
    "fid",
    "fid_released",
    "kid",
    "directional_similarity",
    "lpips",
    "fvd",
    "face_distance_source",
    "face_distance_same",
    "face_distance_others",
    "face_matched",
    "face_identified",
)


@dataclass(frozen=True)
class Inputs:
    """What one result is measured on.

    Attributes:
        result: clip of the synthetic signer.
        source: clip of the person.
        avatar: colour pass of the rendering.
        mask: mask pass of the rendering.
        source_keypoints: as detected on the source.
        avatar_keypoints: as detected on the rendering.
        result_keypoints: as detected on the result.
        family: manifest of the model family.
        source_text: caption of the source.
        signer_text: caption of the signer; None if pictures alone describe it.
        translation: what is signed, in words of a spoken language; None if that is not known.
        references: pictures that describe the signer.
        video: name of the video.
        signer: name of the signer.
        skeleton: whether the source is no film but a clip of its skeleton, as of a ``.pose`` file or a text.
    """

    result: Path
    source: Path
    avatar: Path
    mask: Path
    source_keypoints: Path
    avatar_keypoints: Path
    result_keypoints: Path
    family: Path
    source_text: str
    signer_text: str | None = None
    translation: str | None = None
    references: tuple[Path, ...] = field(default=())
    video: str = "video"
    signer: str = "signer"
    skeleton: bool = False

    @property
    def kind(self) -> str:
        """``image``, ``text``, ``multimodal`` or, without any description, ``unknown``."""
        if self.signer_text:
            return "multimodal" if self.references else "text"
        return "image" if self.references else "unknown"


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        metrics: the metrics (.json).
        moments: the worst moments of the signing as a picture (.jpg), empty if nothing broke; None writes none.
    """

    metrics: Path
    moments: Path | None = None


def _networks(
    settings: EvaluateSettings, family: Manifest
) -> tuple[CLIPEncoder | None, CLIPEncoder | Inception | None]:
    clip = None
    if settings.clip is not None:
        clip = CLIPEncoder(
            settings.clip, name=Path(settings.clip).name if Path(settings.clip).is_dir() else settings.clip
        )
    elif family.clip is not None:
        ours = family.clip.id.startswith(PACKAGE) or Path(family.clip.id).exists()
        clip = CLIPEncoder(family.clip.path, name=f"CLIP of the family {family.name}" if ours else family.clip.id)
    else:
        log.warning("%s; metrics that need one are left out.", NO_CLIP)
    if settings.fid_network == "inception" and settings.inception_weights is not None:
        return clip, Inception(settings.inception_weights)
    return clip, clip


def _keypoints(inputs: Inputs, width: int, height: int) -> dict[str, Keypoints]:
    """Return the keypoints of all clips in pixels of the source."""
    keypoints = {role: scale_to(load_keypoints(getattr(inputs, f"{role}_keypoints")), width, height) for role in ROLES}
    frames = len(keypoints["source"])
    for role, points in keypoints.items():
        if len(points) != frames:
            raise DiffSignError(
                f"keypoints '{getattr(inputs, f'{role}_keypoints')}' are of {len(points)} frames, but those of the "
                f"source '{inputs.source_keypoints}' are of {frames}; detect them again on the {role}."
            )
    return keypoints


def _same_length(inputs: Inputs, frames: int, keypoints: int) -> None:
    if frames != keypoints:
        raise DiffSignError(
            f"keypoints '{inputs.source_keypoints}' are of {keypoints} frames, but the source '{inputs.source}' has "
            f"{frames}; detect them again on the source."
        )


def _log_sizes(paths: dict[str, Path], info: ClipInfo) -> None:
    for name, path in paths.items():
        size = probe_clip(path)
        if (size.width, size.height) != (info.width, info.height):
            log.info(
                "%s is %d×%d, scaled to the source's %d×%d", name, size.width, size.height, info.width, info.height
            )


def without_film(metrics: dict[str, Metric]) -> dict[str, Metric]:
    """Take away the values that compare with the pictures of a source that has none; keypoints are compared."""
    return {name: Metric(reason=NO_FILM) if name in OF_SOURCE_PICTURES else metric for name, metric in metrics.items()}


def evaluate(inputs: Inputs, settings: EvaluateSettings, *, threads: int = 1) -> tuple[Evaluation, Image.Image | None]:
    """Measure one result.

    Args:
        inputs: its files and words.
        settings: what it is measured with.
        threads: to compute with.

    Returns:
        Every metric of :data:`diffsign.records.metric_definitions.METRIC_DEFINITIONS`, with a reason where there is no
        value; and the worst moments as a picture, None if nothing broke.

    Raises:
        DiffSignError: if a file is missing or of another kind, or clips and keypoints differ in length.
    """
    info = probe_clip(inputs.source)
    family = load_manifest(inputs.family)
    pictures = [np.array(read_picture(path, "reference picture")) for path in inputs.references]
    others = [np.array(read_picture(path, "picture of another person")) for path in settings.face_others]
    keypoints = _keypoints(inputs, info.width, info.height)
    signed, breaks = signing(keypoints, settings)
    moments = worst_moments(breaks, settings.worst_moments)
    clip, network = _networks(settings, family)
    lpips, fvd, recogniser = perceptual_distance(settings), video_distance(settings), make_recogniser(settings)
    faces = None if isinstance(recogniser, str) else Faces(recogniser, keypoints, settings.face_frames)
    paths = {"source": inputs.source, "avatar": inputs.avatar, "result": inputs.result}
    if settings.flow:
        paths["mask"] = inputs.mask
    _log_sizes(paths, info)
    frames = len(keypoints["source"])
    measured = measure(
        paths,
        clip,
        network,
        batch_size=settings.batch_size,
        flow=settings.flow,
        expected=frames,
        keep={moment.worst for moment in moments},
        watchers=[watcher for watcher in (lpips, fvd, faces) if watcher is not None],
        threads=threads,
    )
    _same_length(inputs, len(measured.ssim_first), frames)
    measured = measured.within_shots(shot_starts(keypoints["source"]))
    readable, on_keypoints = legibility(keypoints, settings)
    similar, on_embeddings = similarities(measured, clip, (inputs.source_text, inputs.signer_text), pictures)
    series = {f"ssim_successive_{name}": values for name, values in measured.ssim.items()}
    series |= {f"warping_error_{name}": values for name, values in measured.warping.items()}
    series |= on_keypoints | on_embeddings | (lpips.series() if lpips else {})
    metrics = signed | readable | steadiness(measured) | likeness(measured, network and network.name) | similar
    metrics |= lpips.metrics() if lpips else without_weights("lpips")
    metrics |= fvd.metrics() if fvd else without_weights("fvd")
    metrics |= translated(
        settings.back_translation,
        Shown(inputs.source, inputs.source_keypoints),
        Shown(inputs.result, inputs.result_keypoints),
        inputs.translation,
        frames,
    )
    if isinstance(recogniser, str) or faces is None:
        metrics |= no_faces(str(recogniser))
    else:
        metrics |= anonymity(recogniser, faces, pictures, others)
    if inputs.skeleton:
        metrics = without_film(metrics)
        series = {name: values for name, values in series.items() if name not in OF_SOURCE_PICTURES}
    packages = {module.__name__: str(module.__version__) for module in (torch, transformers, cv2, np)}
    evaluation = Evaluation(
        video=inputs.video,
        signer=inputs.signer,
        kind=inputs.kind,
        family=family.name,
        untrained=is_untrained(family),
        frames=frames,
        fps=info.fps,
        width=info.width,
        height=info.height,
        source_text=inputs.source_text,
        signer_text=inputs.signer_text,
        metrics=metrics,
        series={name: to_series(values) for name, values in series.items()},
        breaks=breaks,
        versions={"diffsign": __version__, **packages},
    )
    return evaluation, draw_moments(moments, measured.kept, info.fps) if moments else None


def run(inputs: Inputs, outputs: Outputs, settings: EvaluateSettings, *, threads: int = 1) -> str:
    """Measure one result and write its metrics.

    Returns:
        How many metrics have a value.

    Raises:
        DiffSignError: as :func:`evaluate`.
    """
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    evaluation, picture = evaluate(inputs, settings, threads=threads)
    if outputs.moments is not None:
        save_moments(outputs.moments, picture)
    save_metrics(outputs.metrics, evaluation)
    defined = sum(metric.value is not None for metric in evaluation.metrics.values())
    return (
        f"{inputs.signer}, {inputs.video}: {defined} of {len(evaluation.metrics)} metrics over "
        f"{evaluation.frames} frames in '{outputs.metrics}'; the others say why they have no value."
    )
