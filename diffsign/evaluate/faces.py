"""Face recognisers: from a picture to a descriptor of the face in it, near to those of the same person.

Faces and their landmarks are found by dlib (the extra ``identity``), whichever network describes them.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from diffsign.config.evaluate import EvaluateSettings
from diffsign.errors import DiffSignError
from diffsign.files import require_file

NOT_INSTALLED = (
    "the extra 'identity' (dlib-bin and face_recognition_models) is not installed; `pip install 'diffsign[identity]'`"
)
ARCFACE = "an ONNX file of ArcFace: one input of 1×3×112×112, one output with a descriptor, such as w600k_r50.onnx"
#: Pixels of ArcFace's square input, and where the middles of the eyes, the tip of the nose and the corners of the mouth
#: lie in it (Deng et al. 2019).
ARCFACE_SIZE = 112
ARCFACE_PLACES = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
#: Where those points come from among the 68 of iBUG.
ARCFACE_POINTS = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
#: Longer side in pixels to which a picture is brought before faces are looked for.
LARGEST = 800


def missing() -> str | None:
    """Return why no face can be found here, None if one can."""
    found = all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models"))
    return None if found else NOT_INSTALLED


def _model(name: str) -> str:
    # The package's own functions need setuptools to find their files.
    spec = importlib.util.find_spec("face_recognition_models")
    folder = Path((spec.submodule_search_locations or ["."])[0]) if spec else Path()
    return str(folder / "models" / name)


class _Finder:
    """Finds the largest face of a picture with dlib's detector (HOG) and marks its landmarks."""

    def __init__(self, landmarks: int) -> None:
        import dlib

        self._dlib: Any = dlib
        self._detector = self._dlib.get_frontal_face_detector()
        self._predictor = self._dlib.shape_predictor(_model(f"shape_predictor_{landmarks}_face_landmarks.dat"))

    def find(self, picture: np.ndarray) -> tuple[np.ndarray, Any] | None:
        """Return the picture (H, W, 3) uint8, scaled as it was searched, and the landmarks; None without a face."""
        scale = LARGEST / max(picture.shape[:2])
        if scale < 1:
            size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = np.ascontiguousarray(picture)
        faces = self._detector(picture, 1)
        if not faces:
            return None
        return picture, self._predictor(picture, max(faces, key=lambda face: face.area()))


@functools.cache
def _finder(landmarks: int) -> _Finder:
    return _Finder(landmarks)


@functools.cache
def _dlib_network() -> Any:
    import dlib

    # dlib's wheel has no types for it
    return dlib.face_recognition_model_v1(  # pyright: ignore[reportAttributeAccessIssue]
        _model("dlib_face_recognition_resnet_model_v1.dat")
    )


class DlibRecogniser:
    """dlib's network: 128 numbers for each face, distances of which are Euclidean.

    Trained by D. King; faces nearer than 0.6 are of one person in 99.38 % of the pairs of LFW.
    """

    name = "dlib face recognition ResNet v1"
    #: Distance below which two faces are said to be of one person; None if nothing was published.
    threshold: float | None = 0.6

    def __init__(self, threshold: float | None = None) -> None:
        self.threshold = threshold or self.threshold
        self._finder, self._network = _finder(5), _dlib_network()

    def describe(self, picture: np.ndarray) -> np.ndarray | None:
        """Return the descriptor (128,) of the largest face in a picture (H, W, 3) uint8, None if there is none."""
        found = self._finder.find(picture)
        return None if found is None else np.array(self._network.compute_face_descriptor(*found))

    @staticmethod
    def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the distances (N, M) of descriptors (N, D) and (M, D)."""
        return np.linalg.norm(first[:, None] - second[None], axis=-1)


def align_for_arcface(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Cut the face out of a picture so that its landmarks lie where ArcFace expects them.

    Args:
        picture: (H, W, 3) uint8.
        points: (68, 2) landmarks of iBUG in pixels.

    Returns:
        (112, 112, 3) uint8: scaled, turned and shifted by least squares.
    """
    marked = np.array([points[part].mean(0) for part in ARCFACE_POINTS])
    # Each point gives x' = a x − b y + c and y' = b x + a y + d.
    x, y, one, none = marked[:, 0], marked[:, 1], np.ones(len(marked)), np.zeros(len(marked))
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    a, b, c, d = np.linalg.lstsq(rows, ARCFACE_PLACES.T.ravel(), rcond=None)[0]
    return cv2.warpAffine(picture, np.array([[a, -b, c], [b, a, d]]), (ARCFACE_SIZE, ARCFACE_SIZE))


class ArcFaceRecogniser:
    """An ArcFace network of the user's (Deng et al. 2019); distances are 1 − cosine.

    Args:
        weights: the ONNX file.
        threshold: distance below which two faces are of one person.

    Raises:
        DiffSignError: if the file is missing, no ONNX, or takes or gives something else.
    """

    def __init__(self, weights: str | Path, threshold: float | None = None) -> None:
        path = require_file(weights, "ArcFace weights")
        self.name = f"ArcFace ({path.name})"
        self.threshold = threshold
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
            descriptor = self._descriptor(np.zeros((ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8))
        except cv2.error as error:
            raise DiffSignError(
                f"ArcFace weights '{path}' do not run on a picture of {ARCFACE_SIZE}×{ARCFACE_SIZE}; expected is "
                f"{ARCFACE}."
            ) from error
        if len(descriptor) < 2:
            raise DiffSignError(f"ArcFace weights '{path}' give {len(descriptor)} number; expected is {ARCFACE}.")
        self._finder = _finder(68)

    def _descriptor(self, face: np.ndarray) -> np.ndarray:
        self._network.setInput(
            cv2.dnn.blobFromImage(face, 1 / 127.5, (ARCFACE_SIZE, ARCFACE_SIZE), (127.5, 127.5, 127.5))
        )
        return self._network.forward().ravel().astype(np.float64)

    def describe(self, picture: np.ndarray) -> np.ndarray | None:
        """Return the descriptor (D,) of the largest face in a picture (H, W, 3) uint8, None if there is none."""
        found = self._finder.find(picture)
        if found is None:
            return None
        points = np.array([(point.x, point.y) for point in found[1].parts()], np.float64)
        return self._descriptor(align_for_arcface(found[0], points))

    @staticmethod
    def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the distances (N, M) of descriptors (N, D) and (M, D)."""
        one, other = (values / np.linalg.norm(values, axis=-1, keepdims=True) for values in (first, second))
        return 1 - one @ other.T


Recogniser = DlibRecogniser | ArcFaceRecogniser


def make_recogniser(settings: EvaluateSettings) -> Recogniser | str:
    """Return the recogniser that the settings name, or why there is none.

    Raises:
        DiffSignError: if a file that is named is not what it should be.
    """
    if settings.face_recogniser == "none":
        return "switched off (face_recogniser)"
    reason = missing()
    if reason is not None:
        return reason
    if settings.face_recogniser == "arcface" and settings.arcface_weights is not None:
        return ArcFaceRecogniser(settings.arcface_weights, settings.face_threshold)
    return DlibRecogniser(settings.face_threshold)
