"""What weight files hold, without loading them: names and shapes, and whether the file is whole."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, cast

from diffsign.errors import DiffSignError
from diffsign.files import require_file

#: Shapes of the tensors of a file, by name; names of nested dictionaries are joined by dots.
Shapes = dict[str, tuple[int, ...]]

_LFS_POINTER = b"version https://git-lfs"


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the JSON object in ``path``, or raise an error that names ``what`` it should be."""
    path = require_file(path, what)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DiffSignError(f"{what} '{path}' is not JSON ({error}); download it again.") from error
    if not isinstance(value, dict):
        raise DiffSignError(f"{what} '{path}' must hold a JSON object; download it again.")
    return cast("dict[str, Any]", value)


#: Names of weight files as diffusers and as transformers write them: safetensors first, then what torch pickles.
DIFFUSERS_STEMS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
TRANSFORMERS_STEMS = ("model.safetensors", "pytorch_model.bin")


#: Variant that is taken where the plain files are not there.
FALLBACK_VARIANT = "fp16"


def _varied(stem: str, variant: str | None) -> str:
    base, dot, suffix = stem.rpartition(".")
    return f"{base}.{variant}{dot}{suffix}" if variant else stem


def weight_names(stems: tuple[str, ...], variant: str | None) -> dict[str, str | None]:
    """Return the names that a network's weight file may have with the variant that each is, the preferred first.

    A variant that is asked for comes before the plain files; without one, half precision comes after them.
    """
    order = [(stem, kind) for stem in stems for kind in ([variant, None] if variant else [None])]
    if variant is None:
        order += [(stem, FALLBACK_VARIANT) for stem in stems]
    return {_varied(stem, kind): kind for stem, kind in order}


def index_names(name: str, variant: str | None) -> list[str]:
    """Return the names that the index of a network's shards may have: as here, and as diffusers writes variants."""
    names = [f"{name}.index.json"]
    if variant:
        names.append(f"{name.replace(f'.{variant}.', '.')}.index.{variant}.json")
    return names


def find_weights(folder: Path, stems: tuple[str, ...], variant: str | None) -> tuple[Path, str | None] | None:
    """Return the file (or index of shards) that holds a network's weights and its variant; None if there is none."""
    for name, kind in weight_names(stems, variant).items():
        for candidate in (name, *index_names(name, kind)):
            if (folder / candidate).exists():
                return folder / candidate, kind
    return None


def weight_files(folder: Path, stems: tuple[str, ...], variant: str | None, what: str) -> list[Path]:
    """Return the files that hold a network's weights: one, or the shards that an index names.

    Raises:
        DiffSignError: if there are none, naming where they were looked for.
    """
    weights = find_weights(folder, stems, variant)
    if weights is None:
        raise DiffSignError(f"{what}: '{folder}' holds no weights ({stems[0]}); download the folder again.")
    file, _ = weights
    if file.suffix != ".json":
        return [file]
    shards = set(read_json(file, "index of weights").get("weight_map", {}).values())
    return [folder / shard for shard in sorted(shards)]


def _refuse_pointer(path: Path, what: str) -> None:
    with path.open("rb") as stream:
        if stream.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise DiffSignError(
                f"{what} '{path}' is a Git LFS pointer and not the weights; run `git lfs pull` in its repository."
            )


def _safetensors_shapes(path: Path, what: str) -> Shapes:
    from safetensors import SafetensorError, safe_open

    try:
        opened: Any = safe_open(str(path), framework="np")
        with opened as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        if "not fully covered" in str(error) or "invalid header length" in str(error):
            reason = "is cut short: its size is not what its header says"
        else:
            reason = f"is no safetensors file or its header is damaged ({error})"
        raise DiffSignError(f"{what} '{path}' {reason}; download it again.") from error


def _flatten(state: dict[str, Any], prefix: str = "") -> Shapes:
    shapes: Shapes = {}
    for name, value in state.items():
        if isinstance(value, dict):
            shapes |= _flatten(cast("dict[str, Any]", value), f"{prefix}{name}.")
        elif hasattr(value, "shape"):
            shapes[f"{prefix}{name}"] = tuple(value.shape)
    return shapes


def _bin_shapes(path: Path, what: str) -> Shapes:
    import pickle

    import torch

    try:
        mapped = zipfile.is_zipfile(path)
        state = torch.load(path, map_location="meta" if mapped else "cpu", weights_only=True, mmap=mapped)
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DiffSignError(
            f"{what} '{path}' does not load as a checkpoint of tensors (cut short, damaged, or not weights: "
            f"{reason[:120]}); download it again."
        ) from error
    if not isinstance(state, dict):
        raise DiffSignError(f"{what} '{path}' holds no state dict; download it again.")
    return _flatten(cast("dict[str, Any]", state))


def read_tensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a ``.safetensors`` or ``.bin`` file by name, nested as they are in it; code is refused."""
    if path.suffix == ".safetensors":
        from safetensors import torch as safetensors_torch

        return safetensors_torch.load_file(path)  # pyright: ignore[reportUnknownMemberType]
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def shapes_of(path: Path, what: str) -> Shapes:
    """Return names and shapes of the tensors in a ``.safetensors`` or ``.bin`` file, checking that it is whole.

    Nested state dicts come out with dotted names, as safetensors has them. Pickled code is refused.

    Raises:
        DiffSignError: if the file is missing, empty, cut short, a Git LFS pointer, or holds no tensors.
    """
    path = require_file(path, what)
    _refuse_pointer(path, what)
    shapes = _safetensors_shapes(path, what) if path.suffix == ".safetensors" else _bin_shapes(path, what)
    if not shapes:
        raise DiffSignError(f"{what} '{path}' holds no tensors; download it again.")
    return shapes
