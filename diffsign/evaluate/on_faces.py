"""Anonymity: whom a face recogniser takes the signer of the result for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from diffsign.evaluate.faces import Recogniser
from diffsign.evaluate.legibility import found
from diffsign.records.keypoints import FACE, Keypoints
from diffsign.records.metrics import Metric, metric
from diffsign.records.metrics_on_pictures import FACES

#: Clips whose faces are compared.
CLIPS = ("source", "result")
#: How much of the picture is searched for a face, in sizes of the face that the detector of keypoints found.
AROUND = 2.5
#: Pixels to which the part that is searched is enlarged at least, so that a small face is found.
SMALLEST = 200


def frames_with_faces(keypoints: Keypoints, most: int) -> np.ndarray:
    """Return the numbers of at most ``most`` frames, evenly spaced among those whose keypoints show a face.

    Where none shows one, they are spaced over the whole clip: a recogniser may still see a face.
    """
    shown = np.flatnonzero(found(keypoints, "face"))
    shown = shown if len(shown) else np.arange(len(keypoints))
    return shown[np.unique(np.linspace(0, len(shown) - 1, min(most, len(shown))).round().astype(int))]


def around_face(frame: np.ndarray, points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the part of a frame (H, W, 3) around the face points (70, 3) in pixels of ``width`` × ``height``.

    The whole frame where the points show no face.
    """
    seen = points[points[:, 2] > 0, :2] * [frame.shape[1] / width, frame.shape[0] / height]
    if len(seen) < len(points) / 2:
        return frame
    low, high = seen.min(0), seen.max(0)
    middle, half = (low + high) / 2, max(AROUND * (high - low).max() / 2, 8)
    left, top = np.maximum(np.floor(middle - half), 0).astype(int)
    right, bottom = np.ceil(middle + half).astype(int)
    part = frame[top:bottom, left:right]
    if not part.size:
        return frame
    scale = SMALLEST / max(part.shape[:2])
    return cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) if scale > 1 else part


class Faces:
    """Describes the faces of source and result in some of their frames, batch by batch."""

    def __init__(self, recogniser: Recogniser, keypoints: Mapping[str, Keypoints], most: int) -> None:
        self._recogniser, self._keypoints = recogniser, keypoints
        self._wanted = {name: set(frames_with_faces(keypoints[name], most).tolist()) for name in CLIPS}
        self._done = 0
        self._found: dict[str, list[np.ndarray]] = {name: [] for name in CLIPS}

    def add(self, batch: Mapping[str, np.ndarray]) -> None:
        """Look at the frames of a batch that are wanted: (N, H, W, 3) uint8 of source and result."""
        for name in CLIPS:
            keypoints = self._keypoints[name]
            for number, frame in enumerate(batch[name], start=self._done):
                if number in self._wanted[name]:
                    part = around_face(frame, keypoints.points[number, FACE], keypoints.width, keypoints.height)
                    descriptor = self._recogniser.describe(part)
                    if descriptor is not None:
                        self._found[name].append(descriptor)
        self._done += len(batch[CLIPS[0]])

    def looked_at(self, name: str) -> int:
        """Return in how many frames of a clip a face was looked for."""
        return len(self._wanted[name])

    def descriptors(self, name: str) -> np.ndarray:
        """Return the descriptors (N, D) of the faces found in a clip."""
        return _stacked(self._found[name])


def _stacked(descriptors: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(descriptors) if descriptors else np.empty((0, 0))


def _among(recogniser: Recogniser, faces: np.ndarray) -> np.ndarray:
    """Return the distances (N (N − 1) / 2,) of faces (N, D) from each other."""
    if len(faces) < 2:
        return np.empty(0)
    return recogniser.distances(faces, faces)[np.triu_indices(len(faces), 1)]


def _between(recogniser: Recogniser, faces: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distances (N × M,) of faces (N, D) from others (M, D)."""
    return recogniser.distances(faces, others).ravel() if len(faces) and len(others) else np.empty(0)


def no_faces(reason: str) -> dict[str, Metric]:
    """Return the metrics on faces without a value."""
    return {name: metric(None, 0, reason=reason) for name in FACES}


def anonymity(
    recogniser: Recogniser, faces: Faces, references: Sequence[np.ndarray], others: Sequence[np.ndarray]
) -> dict[str, Metric]:
    """Return the metrics on faces.

    Args:
        recogniser: what describes faces.
        faces: those of source and result.
        references: pictures (H, W, 3) uint8 that describe the signer.
        others: pictures of other people, who are neither.
    """
    source, result = (faces.descriptors(name) for name in CLIPS)
    reference, strangers = (
        _stacked([d for d in map(recogniser.describe, pictures) if d is not None]) for pictures in (references, others)
    )
    unlike = [group for group in (reference, strangers) if len(group)]
    known = np.concatenate(unlike) if unlike else np.empty((0, 0))
    looked = {f"{name}_looked_at": faces.looked_at(name) for name in CLIPS}
    details: dict[str, Any] = {"network": recogniser.name, "settings": looked | {"others": len(known)}}
    lacks = {
        "source": "" if len(source) else "no face is found in the source",
        "result": "" if len(result) else "no face is found in the result",
        "reference": "" if len(reference) else f"no face is found in {len(references)} reference pictures",
        "others": "" if len(known) else "no face of another person is known (reference pictures, face_others)",
        "pairs": "fewer than two faces are found",
    }

    def median(distances: np.ndarray, count: int, *needed: str) -> Metric:
        why = next((lacks[name] for name in needed if lacks[name]), "")
        return metric(float(np.median(distances)) if distances.size else None, count, reason=why, **details)

    to_source = _between(recogniser, result, source)
    metrics = {
        "face_distance_source": median(to_source, len(result), "result", "source"),
        "face_distance_reference": median(_between(recogniser, result, reference), len(result), "result", "reference"),
        "face_distance_same": median(_among(recogniser, source), len(source), "source", "pairs"),
        "face_distance_others": median(_between(recogniser, source, known), len(source), "source", "others"),
        "face_distance_result": median(_among(recogniser, result), len(result), "result", "pairs"),
    }
    why = lacks["result"] or lacks["source"]
    nearest = to_source.reshape(len(result), -1).min(1) if to_source.size else np.empty(0)
    threshold = recogniser.threshold
    untold = why or ("" if threshold else "face_threshold is not set, and none was published for this network")
    details["settings"] = details["settings"] | {"threshold": threshold}
    metrics["face_matched"] = metric(
        float((nearest < threshold).mean()) if nearest.size and threshold else None,
        len(result),
        reason=untold,
        **details,
    )
    nearest_other = recogniser.distances(result, known).min(1) if len(known) and len(result) else np.empty(0)
    metrics["face_identified"] = metric(
        float((nearest < nearest_other).mean()) if nearest.size and nearest_other.size else None,
        len(result),
        reason=why or lacks["others"],
        **details,
    )
    return metrics
