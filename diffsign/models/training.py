"""What every training does at each step, and the file that an interrupted one goes on from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import torch

from diffsign.errors import DiffSignError
from diffsign.files import atomic

#: Gradients longer than this, over all parameters, are shortened to it.
LONGEST_GRADIENT = 1.0


def update(optimizer: torch.optim.Optimizer, parameters: Iterable[torch.nn.Parameter]) -> None:
    """Clip the gradients of a backward pass and take the optimiser's step."""
    torch.nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
    optimizer.step()


def load_checkpoint(path: Path, device: torch.device | str) -> dict[str, Any] | None:
    """Return what a checkpoint holds; None if there is no such file.

    Raises:
        DiffSignError: if it cannot be read.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler met
        raise DiffSignError(f"checkpoint '{path}' cannot be read ({error}); remove it to begin anew.") from error
    if not isinstance(state, dict):
        raise DiffSignError(f"checkpoint '{path}' holds no training; remove it to begin anew.")
    return cast("dict[str, Any]", state)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    with atomic(path) as temporary:
        torch.save(state, temporary)
