"""Where networks compute, and with how many threads."""

from __future__ import annotations

import torch

from diffsign.errors import DiffSignError


def best_device(device: str = "auto") -> torch.device:
    """Return the device that is asked for, or the best there is for ``auto``.

    Raises:
        DiffSignError: if ``cuda`` is asked for and PyTorch sees no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise DiffSignError("device cuda was asked for, but PyTorch sees no GPU here; use device auto or cpu.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def use_threads(threads: int | None) -> None:
    """Compute with so many CPU threads; None leaves it to PyTorch."""
    if threads is not None:
        torch.set_num_threads(threads)
