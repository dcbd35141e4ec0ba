"""Files of SMPL-X parameters: AMASS-like ``.npz``, and one ``.npz`` for all frames or for each."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.geometry.camera import Camera

#: Numbers of a frame in AMASS's ``poses``: SMPL-X, SMPL-H (no jaw, no eyes).
POSES = {165: "SMPL-X", 156: "SMPL-H"}
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".p")


@dataclass(frozen=True)
class Parameters:
    """SMPL-X parameters of T frames as a file has them.

    Attributes:
        root: (T, 3) axis-angle.
        body: (T, 21, 3).
        jaw: (T, 3).
        eyes: (T, 2, 3), left and right.
        hands: (T, N) of the left and of the right hand: 45 angles, or fewer coefficients of PCA.
        transl: (T, 3) metres.
        betas: (B,), of the first frame where each has its own.
        expression: (T, E); E may be 0.
        amass: whether the layout is AMASS's.
        fps: frames per second, if the file says so.
        body_sha256: of the body file, if the file says so.
        camera: in the file's world, if it has one.
    """

    root: np.ndarray
    body: np.ndarray
    jaw: np.ndarray
    eyes: np.ndarray
    hands: tuple[np.ndarray, np.ndarray]
    transl: np.ndarray
    betas: np.ndarray
    expression: np.ndarray
    amass: bool
    fps: float | None
    body_sha256: str | None
    camera: Camera | None


def read_parameters(path: Path) -> Parameters:
    """Read a file, or a folder with a file for every frame.

    Raises:
        DiffSignError: if it is missing, a pickle, no ``.npz``, or lacks parameters.
    """
    if path.is_dir():
        files = sorted(path.glob("*.npz"), key=lambda file: [int(n) for n in re.findall(r"\d+", file.stem)] or [0])
        if not files:
            raise DiffSignError(f"folder '{path}' has no .npz with SMPL-X parameters; one a frame was expected.")
        frames = [_read(file) for file in files]
        missing = [file for file, arrays in zip(files, frames, strict=True) if set(arrays) != set(frames[0])]
        if missing:
            raise DiffSignError(f"'{missing[0]}' has other arrays than '{files[0]}'; one person was expected.")
        arrays = {
            name: np.concatenate([np.asarray(frame[name], np.float64).reshape(1, -1) for frame in frames])
            for name in frames[0]
            if frames[0][name].dtype.kind in "fiu"
        }
    else:
        arrays = _read(path)
    if "poses" in arrays or "pose_body" in arrays:
        return _amass(arrays, path)
    if "body_pose" in arrays:
        return _smplx(arrays, path)
    raise DiffSignError(
        f"'{path}' has the arrays {', '.join(sorted(arrays)[:8]) or 'none'}; AMASS's (poses, trans, betas) or SMPL-X's "
        "(global_orient, body_pose, left_hand_pose, right_hand_pose, …) were expected."
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    path = require_file(path, "motion")
    with path.open("rb") as stream:
        start = stream.read(2)
    if path.suffix.lower() in PICKLES or start[:1] == b"\x80":
        raise DiffSignError(
            f"'{path}' is a Python pickle, which could run any code and is not opened; write its arrays with the tool "
            "that made it: numpy.savez('motion.npz', **{name: numpy.asarray(value) for name, value in data.items()})."
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {}
            for name in archive.files:
                try:
                    arrays[name] = archive[name]
                except ValueError:  # an array of objects, which would have to be unpickled: never a parameter
                    continue
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DiffSignError(f"'{path}' cannot be read as .npz with SMPL-X parameters: {error}.") from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DiffSignError(f"'{name}' of '{path}' has non-finite numbers; export the motion again.")
    return arrays


def _taker(arrays: dict[str, np.ndarray], path: Path, frames: int) -> Callable[..., np.ndarray]:
    """Return a function that gives an array as (frames, N): one row for each frame, repeated, or zeros."""

    def take(name: str, width: int | None = None, optional: bool = False) -> np.ndarray:
        if name not in arrays:
            if not optional:
                raise DiffSignError(f"'{path}' has no '{name}'; SMPL-X parameters of body and hands were expected.")
            return np.zeros((frames, width or 0))
        values = np.asarray(arrays[name], np.float64)
        if values.size in (1, width):  # one for all frames
            rows = np.repeat(values.reshape(1, -1), frames, axis=0)
        elif values.size and values.size % frames == 0:
            rows = values.reshape(frames, -1)
        else:
            raise DiffSignError(f"'{name}' of '{path}' has {values.size} numbers, which {frames} frames do not share.")
        if width is not None and rows.shape[1] != width:
            raise DiffSignError(f"'{name}' of '{path}' has {rows.shape[1]} numbers a frame, {width} were expected.")
        return rows

    return take


def _frames(arrays: dict[str, np.ndarray], name: str, path: Path) -> int:
    size = np.asarray(arrays[name]).size
    if not size or size % 63:
        raise DiffSignError(f"'{name}' of '{path}' has {size} numbers; 63, three for each of 21 joints, make a frame.")
    return size // 63


def _first_row(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    values = np.atleast_1d(np.asarray(arrays.get(name, np.zeros(0)), np.float64))
    return values[0] if values.ndim > 1 else values


def _number(arrays: dict[str, np.ndarray], *names: str) -> float | None:
    return next((float(np.asarray(arrays[name]).ravel()[0]) for name in names if name in arrays), None)


def _camera(arrays: dict[str, np.ndarray]) -> Camera | None:
    if not {"K", "R", "t", "image_size"} <= set(arrays):
        return None
    width, height = (int(value) for value in arrays["image_size"].ravel()[:2])
    K, R, t = (np.asarray(arrays[name], np.float64) for name in ("K", "R", "t"))
    return Camera(K.reshape(3, 3), R.reshape(3, 3), t.reshape(3), width, height)


def _amass(arrays: dict[str, np.ndarray], path: Path) -> Parameters:
    if "poses" in arrays:
        poses = np.atleast_2d(np.asarray(arrays["poses"], np.float64))
        if poses.ndim != 2 or poses.shape[1] not in POSES:
            kinds = " or ".join(f"{count} ({kind})" for count, kind in POSES.items())
            raise DiffSignError(
                f"'poses' of '{path}' has the shape {poses.shape}; {kinds} numbers a frame were expected. A signer "
                "needs hands, which SMPL's 72 do not have."
            )
        frames = len(poses)
        root, body, rest = poses[:, :3], poses[:, 3:66], poses[:, 66:]
        face, hands = (rest[:, :9], rest[:, 9:]) if poses.shape[1] == 165 else (np.zeros((frames, 9)), rest)
    else:
        frames = _frames(arrays, "pose_body", path)
        take = _taker(arrays, path, frames)
        root, body, hands = take("root_orient", 3), take("pose_body", 63), take("pose_hand", 90)
        face = np.concatenate([take("pose_jaw", 3, optional=True), take("pose_eye", 6, optional=True)], axis=1)
    take = _taker(arrays, path, frames)
    return Parameters(
        root=root,
        body=body.reshape(frames, 21, 3),
        jaw=face[:, :3],
        eyes=face[:, 3:].reshape(frames, 2, 3),
        hands=(hands[:, :45], hands[:, 45:]),
        transl=take("trans", 3, optional=True),
        betas=_first_row(arrays, "betas"),
        expression=take("expression", optional=True),
        amass=True,
        fps=_number(arrays, "mocap_framerate", "mocap_frame_rate", "fps"),
        body_sha256=str(arrays["body_sha256"]) if "body_sha256" in arrays else None,
        camera=_camera(arrays),
    )


def _smplx(arrays: dict[str, np.ndarray], path: Path) -> Parameters:
    take = _taker(arrays, path, _frames(arrays, "body_pose", path))
    body = take("body_pose", 63)
    return Parameters(
        root=take("global_orient", 3),
        body=body.reshape(len(body), 21, 3),
        jaw=take("jaw_pose", 3, optional=True),
        eyes=np.stack([take("leye_pose", 3, optional=True), take("reye_pose", 3, optional=True)], axis=1),
        hands=(take("left_hand_pose"), take("right_hand_pose")),
        transl=take("transl", 3, optional=True),
        betas=_first_row(arrays, "betas"),
        expression=take("expression", optional=True),
        amass=False,
        fps=_number(arrays, "fps", "mocap_framerate"),
        body_sha256=None,
        camera=_camera(arrays),
    )
