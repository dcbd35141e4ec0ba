"""Commands that use networks start sooner: diffusers and transformers without what such a command never uses.

Importing them imports PyTorch's compiler (``torch._dynamo``, with sympy), for decorators that matter to compiled
functions alone, and ``torch.distributed.tensor``, for networks that are spread over machines. That is a quarter of the
time that such a command takes to start.

This is for the process of a command (:func:`diffsign.cli.main`), never for a library: whoever imports it may compile.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

#: Decorators that libraries put on functions in case they are compiled.
DECORATORS = ("allow_in_graph", "assume_constant_result", "disable", "disallow_in_graph")


class _Frames:
    """What is asked of ``torch._dynamo.eval_frame``: whether a network is compiled. None is until that is imported."""

    class OptimizedModule:
        """A compiled network."""


class _Compiler(ModuleType):
    """Stands for ``torch._dynamo`` until more than this is asked of it; then it is imported after all."""

    eval_frame = _Frames

    def __getattr__(self, name: str) -> Any:
        if name in DECORATORS:
            return _as_it_is
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _as_it_is(function: Any = None, *_: object, **__: object) -> Any:
    """Decorate a function with nothing, with or without arguments."""
    return function if function is not None else _as_it_is


def start_quickly() -> None:
    """Import PyTorch for a process that neither compiles nor distributes networks; call it before any other import."""
    name = "torch._dynamo"
    torch_spec = find_spec("torch")
    if name in sys.modules or torch_spec is None or torch_spec.origin is None:
        return
    stand_in = _Compiler(name)
    stand_in.__path__ = [str(Path(torch_spec.origin).parent / "_dynamo")]
    sys.modules[name] = stand_in
    import torch.distributed

    torch.distributed.is_available = lambda: False
