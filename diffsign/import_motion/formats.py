"""Files of SMPL-X parameters: AMASS-like ``.npz``, and one ``.npz`` for all frames or for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.geometry.camera import Camera
from diffsign.geometry.rotations import rotmat_to_rotvec
from diffsign.import_motion.folder import from_crops, one_person, place
from diffsign.import_motion.names import AMASS, MOTION_X, ROTATIONS, known_as

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
        betas: (B,), the mean where each frame has its own.
        expression: (T, E); E may be 0.
        numbers: (T,) the frames that these are, rising from 0; those between them are missing.
        amass: whether the layout is AMASS's.
        fps: frames per second, if the file says so.
        body_sha256: of the body file, if the file says so.
        camera: in the file's world, if it has one.
        notes: what was decided when the file was read.
    """

    root: np.ndarray
    body: np.ndarray
    jaw: np.ndarray
    eyes: np.ndarray
    hands: tuple[np.ndarray, np.ndarray]
    transl: np.ndarray
    betas: np.ndarray
    expression: np.ndarray
    numbers: np.ndarray
    amass: bool
    fps: float | None
    body_sha256: str | None
    camera: Camera | None
    notes: tuple[str, ...] = ()


def read_parameters(path: Path) -> Parameters:
    """Read a file, or a folder with a file for every frame.

    Raises:
        DiffSignError: if it is missing, a pickle, no ``.npz``, or lacks parameters.
    """
    arrays, numbers, notes = _folder(path) if path.is_dir() else (_read(path), None, [])
    amass = any(name in arrays for name in AMASS)
    return _parameters(known_as(arrays, str(path)), path, amass, numbers, tuple(notes))


def _folder(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """Return the arrays of one person's frames, one below the other, and the numbers of the frames."""
    found = {file: _read(file) for file in sorted(path.glob("*.npz"))}
    if not found:
        raise DiffSignError(f"folder '{path}' has no .npz with SMPL-X parameters; one a frame was expected.")
    first = next(iter(found))
    if other := next((file for file, arrays in found.items() if set(arrays) != set(found[first])), None):
        raise DiffSignError(f"'{other}' has other arrays than '{first}'; files of one kind were expected.")
    places = np.stack([place(arrays) for arrays in found.values()])
    moved = from_crops(list(found), places)
    if moved is not None:
        places = moved
    frames = one_person(path, dict(zip(found, places, strict=True)))
    if len(frames.numbers) * 2 < frames.numbers[-1] + 1:
        raise DiffSignError(
            f"folder '{path}' has {len(frames.numbers)} of {frames.numbers[-1] + 1} frames; more than half were "
            "expected."
        )
    arrays = {
        name: np.concatenate([_row(found[file][name], name) for file in frames.files])
        for name in found[first]
        if found[first][name].dtype.kind in "fiu"
    }
    notes = frames.notes
    if moved is not None:
        arrays["transl"] = np.stack([places[list(found).index(file)] for file in frames.files])
        notes = [*notes, "places are those that each frame's own camera (meta) shows"]
    return arrays, frames.numbers, notes


def _row(values: np.ndarray, name: str) -> np.ndarray:
    return (_as_rotvec(values) if name in ROTATIONS else np.asarray(values, np.float64)).reshape(1, -1)


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
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            return _table(archive, path)
        with archive:
            arrays = {}
            for name in archive.files:
                try:
                    arrays[name] = archive[name]
                except ValueError:  # an array of objects, which would have to be unpickled: never a parameter
                    continue
    except DiffSignError:
        raise
    except Exception as error:  # a damaged archive ends in anything from KeyError to NotImplementedError
        raise DiffSignError(f"'{path}' cannot be read as .npz with SMPL-X parameters: {error}.") from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DiffSignError(f"'{name}' of '{path}' has non-finite numbers; export the motion again.")
    return arrays


def _table(array: np.ndarray, path: Path) -> dict[str, np.ndarray]:
    """Take Motion-X's table apart; its shape and expressions are of another face model and are left."""
    if array.ndim != 2 or array.shape[1] != 322 or array.dtype.kind != "f":
        raise DiffSignError(
            f"'{path}' holds one array of the shape {array.shape}; Motion-X's table of 322 numbers a frame was "
            "expected, or an .npz with named arrays."
        )
    return {name: array[:, first:last] for name, (first, last) in MOTION_X.items()}


def _as_rotvec(values: np.ndarray) -> np.ndarray:
    """Return rotations as axis-angle, where they are matrices (..., 3, 3)."""
    values = np.asarray(values, np.float64)
    return rotmat_to_rotvec(values) if values.ndim > 2 and values.shape[-2:] == (3, 3) else values


class _Taker:
    """Gives arrays as (frames, N): one row for each frame, repeated, or zeros."""

    def __init__(self, arrays: dict[str, np.ndarray], path: Path) -> None:
        self.arrays, self.path = arrays, path
        size = _as_rotvec(arrays["body_pose"]).size
        if not size or size % 63:
            hint = " (23 joints are SMPL's, which has no hands)" if size and size % 69 == 0 else ""
            raise DiffSignError(
                f"'body_pose' of '{path}' has {size} numbers; 63, three for each of 21 joints, make a frame{hint}. "
                "Rotations may be axis-angle or matrices."
            )
        self.frames = size // 63

    def __call__(self, name: str, width: int | None = None, optional: bool = False) -> np.ndarray:
        if name not in self.arrays:
            if not optional:
                raise DiffSignError(
                    f"'{self.path}' has no '{name}'; SMPL-X parameters of body and hands were expected."
                )
            return np.zeros((self.frames, width or 0))
        values = np.asarray(self.arrays[name], np.float64)
        values = _as_rotvec(values) if name in ROTATIONS else values
        if values.size in (1, width):  # one for all frames
            rows = np.repeat(values.reshape(1, -1), self.frames, axis=0)
        elif values.size and values.size % self.frames == 0:
            rows = values.reshape(self.frames, -1)
        else:
            raise DiffSignError(
                f"'{name}' of '{self.path}' has {values.size} numbers, which {self.frames} frames do not share."
            )
        if width is not None and rows.shape[1] != width:
            raise DiffSignError(
                f"'{name}' of '{self.path}' has {rows.shape[1]} numbers a frame, {width} were expected."
            )
        return rows


def _shape(arrays: dict[str, np.ndarray]) -> np.ndarray:
    values = np.atleast_1d(np.asarray(arrays.get("betas", np.zeros(0)), np.float64))
    return values.reshape(-1, values.shape[-1]).mean(axis=0) if values.ndim > 1 else values


def _rate(arrays: dict[str, np.ndarray]) -> float | None:
    rate = float(np.asarray(arrays["fps"]).ravel()[0]) if "fps" in arrays else 0.0
    return rate if rate > 0 else None


def _camera(arrays: dict[str, np.ndarray]) -> Camera | None:
    if not {"K", "R", "t", "image_size"} <= set(arrays):
        return None
    width, height = (int(value) for value in arrays["image_size"].ravel()[:2])
    K, R, t = (np.asarray(arrays[name], np.float64) for name in ("K", "R", "t"))
    return Camera(K.reshape(3, 3), R.reshape(3, 3), t.reshape(3), width, height)


def _parameters(
    arrays: dict[str, np.ndarray], path: Path, amass: bool, numbers: np.ndarray | None, notes: tuple[str, ...]
) -> Parameters:
    take = _Taker(arrays, path)
    if numbers is None:
        numbers = np.arange(take.frames)
    return Parameters(
        root=take("global_orient", 3),
        body=take("body_pose", 63).reshape(take.frames, 21, 3),
        jaw=take("jaw_pose", 3, optional=True),
        eyes=np.stack([take("leye_pose", 3, optional=True), take("reye_pose", 3, optional=True)], axis=1),
        hands=(take("left_hand_pose"), take("right_hand_pose")),
        transl=take("transl", 3, optional=True),
        betas=_shape(arrays),
        expression=take("expression", optional=True),
        numbers=numbers,
        amass=amass,
        fps=_rate(arrays),
        body_sha256=str(arrays["body_sha256"]) if "body_sha256" in arrays else None,
        camera=_camera(arrays),
        notes=notes,
    )
