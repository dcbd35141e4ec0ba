"""What every part's training shares: checkpoints, averages, learning rate, log."""

from __future__ import annotations

import copy
import csv
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing
from torch import distributed, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import get_ema_multi_avg_fn

from diffsign.config.training import TrainSettings
from diffsign.errors import DiffSignError
from diffsign.models.device import best_device
from diffsign.models.training import load_checkpoint, save_checkpoint, update

log = logging.getLogger(__name__)

WARM_UP = 50
COOL_DOWN = 0.2
_FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def _worker(rank: int, count: int, meeting: str, work: Callable[..., None], arguments: tuple) -> None:
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(message)s")
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    work(*arguments)
    distributed.destroy_process_group()


def in_processes(count: int, work: Callable[..., None], *arguments: object) -> None:
    """Run ``work(*arguments)`` in ``count`` processes whose :class:`Training` averages their gradients.

    On a CPU two processes of one thread train half as fast again as one process of two threads.
    """
    if count == 1:
        work(*arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        torch.multiprocessing.spawn(_worker, (count, meeting, work, arguments), nprocs=count)  # type: ignore[attr-defined]


def rate(step: int, settings: TrainSettings) -> float:
    """Return the learning rate of a step: warmed up, level, and falling to zero over the last fifth."""
    falling = (settings.steps - step) / max(1.0, COOL_DOWN * settings.steps)
    return settings.learning_rate * max(0.0, min(1.0, (step + 1) / WARM_UP, falling))


@dataclass
class Draw:
    """The random numbers of one step, the same whenever and wherever it is run."""

    step: int
    numpy: np.random.Generator
    torch: torch.Generator
    shared: np.random.Generator

    @classmethod
    def of(cls, seed: int, step: int, rank: int = 0) -> Draw:
        """Return the numbers of a step; ``shared`` are those that all processes of a run have in common."""
        private, common = np.random.SeedSequence([seed, step]).spawn(2)
        private = np.random.default_rng([*private.generate_state(2), rank])
        return cls(
            step, private, torch.Generator().manual_seed(int(private.integers(2**62))), np.random.default_rng(common)
        )


class Training:
    """Networks under training and their averages, in one file that training goes on from.

    Args:
        path: checkpoint (``.pt``); read if it exists.
        modules: the networks, by name.
        settings: seed, rate, where.
    """

    def __init__(self, path: str | Path, modules: Mapping[str, nn.Module], settings: TrainSettings) -> None:
        self.path, self.settings = Path(path), settings
        self.modules = dict(modules)
        self.device = best_device(settings.device)
        if self.device.type == "cpu":
            torch.set_num_threads(settings.threads)
        for module in self.modules.values():
            module.to(self.device).train()
            module.requires_grad_(True)
        parameters = [p for module in self.modules.values() for p in module.parameters()]
        self.optimizer = torch.optim.AdamW(
            parameters, lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
        )
        self.average = {name: copy.deepcopy(module.state_dict()) for name, module in self.modules.items()}
        self.step, self.seconds = 0, 0.0
        state = load_checkpoint(self.path, self.device)
        if state is not None:
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            # what a family that ships leaves behind (train.start): no optimiser, and no layers that only training needs
            begun = "optimizer" not in state
            for name, module in self.modules.items():
                if not begun or name in state["modules"]:
                    module.load_state_dict(state["modules"][name])
            if not begun:
                self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise DiffSignError(
                f"checkpoint '{self.path}' does not fit this training; move it away to start anew."
            ) from error
        self.average |= state["average"]
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        save_checkpoint(self.path, state)

    def run(self, loss_of: Callable[[Draw], dict[str, torch.Tensor]]) -> None:
        """Train until the settings' last step, or until their minutes have passed.

        Args:
            loss_of: the losses of one step; ``loss`` is what is minimised, the others are logged beside it.
        """
        settings, started, rows = self.settings, time.monotonic(), []
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bf16")
        begun = self.seconds
        while self.step < settings.steps:
            draw = Draw.of(settings.seed, self.step, _rank())
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.step, settings)
            # PyTorch's fused attention is slow in bf16 on CPUs without matrix units
            with autocast, sdpa_kernel(SDPBackend.MATH if self.device.type == "cpu" else _FUSED):
                losses = loss_of(draw)
            self.optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            late = settings.minutes is not None and time.monotonic() - started > settings.minutes * 60
            late = self._share_gradients(late)
            update(self.optimizer, self.optimizer.param_groups[0]["params"])
            self._average()
            self.step += 1
            self.seconds = begun + time.monotonic() - started
            rows.append({name: float(value.detach()) for name, value in losses.items()})
            last = self.step == settings.steps or late
            if self.step % settings.log_every == 0 or last:
                if _rank() == 0:
                    self._log(rows)
                rows = []
            if (self.step % settings.save_every == 0 or last) and _rank() == 0:
                self.save()
            if late:
                log.info("Stopped after %.1f minutes at step %d; run again to go on.", settings.minutes, self.step)
                return

    def _share_gradients(self, late: bool) -> bool:
        """Average the gradients over all processes; return whether one of them says that it is late."""
        if not distributed.is_initialized():
            return late
        gradients = [p.grad for p in self.optimizer.param_groups[0]["params"] if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients] + [gradients[0].new_tensor([float(late)])])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        return bool(flat[-1] > 0)

    def _average(self) -> None:
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        kept, new = [], []
        for name, module in self.modules.items():
            for key, value in module.state_dict().items():
                if value.is_floating_point():
                    kept.append(self.average[name][key])
                    new.append(value)
                else:
                    self.average[name][key].copy_(value)
        get_ema_multi_avg_fn(decay)(kept, new, self.step)

    def _log(self, rows: list[dict[str, float]]) -> None:
        names = sorted({name for row in rows for name in row})
        means = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
        row = {"step": self.step, "seconds": round(self.seconds, 1)} | {k: round(v, 6) for k, v in means.items()}
        path = self.path.with_suffix(".csv")
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            for name, value in row.items():
                if new:
                    new = False
                    writer.writerow(["step", "seconds", "name", "value"])
                if name not in ("step", "seconds"):
                    writer.writerow([row["step"], row["seconds"], name, value])
        log.info("%s", "  ".join(f"{name} {value:g}" for name, value in row.items()))


def averaged(path: str | Path, modules: Mapping[str, nn.Module]) -> int:
    """Load the averaged weights of a checkpoint into ``modules``; return the step they are of."""
    path = Path(path)
    if not path.exists():
        raise DiffSignError(f"'{path}' does not exist; train that part first.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, module in modules.items():
        if name in state["average"]:
            module.load_state_dict(state["average"][name])
    return int(state["step"])
