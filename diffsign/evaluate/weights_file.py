"""Weight files that the user brings: read into a network whose layout they must have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor, nn

from diffsign.errors import DiffSignError
from diffsign.models.weights import read_tensors, shapes_of

#: How many training batches a normalisation has seen: files of some versions lack it, and nothing reads it.
UNREAD = "num_batches_tracked"


def _shape(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "a number"


def load_into(network: nn.Module, path: str | Path, what: str, expected: str) -> None:
    """Load a state dict into a network; tensors that the network does not have are left out.

    Args:
        network: what takes the weights; its own names and shapes are what the file must hold.
        path: the file, as torch or safetensors write it. Pickled code is refused.
        what: what the file should be, such as "Inception weights".
        expected: which public file has this layout.

    Raises:
        DiffSignError: if the file is missing or damaged, or a tensor is missing, of another shape or not finite.
    """
    path = Path(path)
    there = shapes_of(path, what)
    wanted = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(UNREAD)}
    missing = [name for name in wanted if name not in there]
    if missing:
        raise DiffSignError(
            f"{what} '{path}': {len(missing)} of {len(wanted)} tensors are missing, such as '{missing[0]}'; "
            f"expected is {expected}."
        )
    for name, tensor in wanted.items():
        if there[name] != tuple(tensor.shape):
            raise DiffSignError(
                f"{what} '{path}': '{name}' is {_shape(there[name])} where {_shape(tensor.shape)} belongs; "
                f"expected is {expected}."
            )
    tensors: dict[str, Tensor] = read_tensors(path)
    broken = next((name for name in wanted if not bool(tensors[name].isfinite().all())), None)
    if broken is not None:
        raise DiffSignError(f"{what} '{path}': '{broken}' holds numbers that are not finite; download it again.")
    network.load_state_dict({name: tensors[name] for name in wanted}, strict=False)
    network.eval().requires_grad_(False)
