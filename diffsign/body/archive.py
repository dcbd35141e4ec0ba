"""Body files in SMPL-X's format (``.npz``), read and checked.

Nothing is unpickled: object arrays, of which the official file has some, are never read.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from diffsign.errors import DiffSignError

#: Arrays of an SMPL-X file that are needed, with the number of dimensions each has.
NEEDED = {
    "v_template": 2,
    "f": 2,
    "weights": 2,
    "J_regressor": 2,
    "kintree_table": 2,
    "shapedirs": 3,
    "posedirs": 3,
    "hands_meanl": 1,
    "hands_meanr": 1,
    "hands_componentsl": 2,
    "hands_componentsr": 2,
    "lmk_faces_idx": 1,
    "lmk_bary_coords": 2,
    "dynamic_lmk_faces_idx": 2,
    "dynamic_lmk_bary_coords": 3,
}

#: Vertices and joints of models that are taken for SMPL-X.
RELATIVES = {(6890, 24): "SMPL", (6890, 52): "SMPL-H", (778, 16): "MANO", (5023, 5): "FLAME"}

#: Shape directions of SMPL-X's ``shapedirs``; the expression directions follow them.
SHAPE_SPACE = 300


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], bool]:
    """Return the needed arrays, ours besides, and whether the file holds pickled objects (which stay unread)."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            start = stream.read(2)
        kind = "is a Python pickle" if start[:1] == b"\x80" or path.suffix == ".pkl" else "is no .npz archive"
        raise DiffSignError(
            f"body file '{path}' {kind}; give SMPL-X's .npz file, or make the default one with `diffsign body build`."
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            _check_kind(path, archive)
            arrays = {name: archive[name] for name in NEEDED}
            extra = {
                name: archive[name]
                for name in ("num_betas", "num_expressions", "expression_names", "face_region")
                if name in archive.files
            }
        with zipfile.ZipFile(path) as archive:
            has_objects = any(_is_object(archive, name) for name in archive.namelist())
    except DiffSignError:
        raise
    except Exception as error:  # a damaged archive ends in anything from KeyError to NotImplementedError
        raise DiffSignError(f"body file '{path}' cannot be read as an SMPL-X .npz: {error}.") from error
    _check_shapes(path, arrays)
    return arrays, extra, has_objects


def _is_object(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(stream)[2].hasobject


def _check_kind(path: Path, archive: Any) -> None:
    missing = [name for name in NEEDED if name not in archive.files]
    if "v_template" in archive.files and "weights" in archive.files:
        size = (len(archive["v_template"]), archive["weights"].shape[-1])
        if size in RELATIVES:
            raise DiffSignError(
                f"body file '{path}' is a {RELATIVES[size]} model ({size[0]} vertices, {size[1]} joints), but SMPL-X "
                "(hands and face included, 55 joints) is needed; give SMPLX_NEUTRAL.npz or the file that "
                "`diffsign body build` writes."
            )
    if missing:
        raise DiffSignError(
            f"body file '{path}' is no SMPL-X .npz: it lacks {', '.join(missing)}; give SMPLX_NEUTRAL.npz or the file "
            "that `diffsign body build` writes."
        )


def _check_shapes(path: Path, arrays: dict[str, np.ndarray]) -> None:
    vertices = len(arrays["v_template"])
    expected = {
        "v_template": (vertices, 3),
        "weights": (vertices, 55),
        "J_regressor": (55, vertices),
        "kintree_table": (2, 55),
        "posedirs": (vertices, 3, 486),
        "lmk_faces_idx": (51,),
        "lmk_bary_coords": (51, 3),
        "dynamic_lmk_faces_idx": (79, 17),
        "dynamic_lmk_bary_coords": (79, 17, 3),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise DiffSignError(
                f"'{name}' of body file '{path}' has the shape {arrays[name].shape}, but SMPL-X has {shape}."
            )
    columns = arrays["shapedirs"].shape[-1]
    if arrays["shapedirs"].shape[:2] != (vertices, 3) or columns <= SHAPE_SPACE:
        raise DiffSignError(
            f"'shapedirs' of body file '{path}' has {columns} columns, but 300 for the shape and up to 100 for the "
            "expression are needed; SMPL-X files of 2019 (version 1.0, 20 columns) have to be replaced by version 1.1."
        )


@contextmanager
def without_objects(path: Path, arrays: dict[str, np.ndarray], has_objects: bool) -> Iterator[Path]:
    """Give a file that ``smplx``, which unpickles whatever it finds, reads safely: ``path`` or a copy of the arrays."""
    if not has_objects:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "body.npz"
        np.savez(copy, **arrays)  # type: ignore[arg-type]
        yield copy
