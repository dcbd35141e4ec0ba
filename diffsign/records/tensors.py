"""Files of tensors (safetensors) that are the same bytes for the same content."""

# safetensors comes without types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from diffsign.errors import DiffSignError
from diffsign.files import atomic, require_file

if TYPE_CHECKING:
    import torch


def save_tensors(path: str | Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors as safetensors, with the metadata in order of its keys.

    The library writes metadata in an order that differs from run to run; here the header is written again.
    """
    from safetensors.torch import save

    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(metadata))
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with atomic(path) as temporary, temporary.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.write(memoryview(content)[8 + length :])


def load_tensors(
    path: str | Path, what: str, framework: Literal["pt", "numpy"] = "pt"
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the tensors and the metadata of a file; with ``numpy`` as arrays, without importing PyTorch.

    Raises:
        DiffSignError: if it is missing, damaged or no safetensors; ``what`` says what it should be.
    """
    from safetensors import safe_open

    path = require_file(path, what)
    try:
        with safe_open(str(path), framework=framework) as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    # A damaged header ends in SafetensorError, OSError, UnicodeError, OverflowError, ….
    except Exception as error:
        raise DiffSignError(f"{what} '{path}' cannot be read as safetensors ({error}); make it again.") from error


def checksum_of(tensors: Mapping[str, torch.Tensor | npt.NDArray[Any]], words: str) -> str:
    """Return the SHA-256 of tensors, or the same as arrays, and of the words that belong to them."""
    digest = hashlib.sha256(words.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        array = tensor if isinstance(tensor, np.ndarray) else tensor.contiguous().numpy()
        digest.update(f"{name} torch.{array.dtype} {tuple(array.shape)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
