"""A base model that is one file, as its authors and their communities share it, laid out as a folder of networks."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from diffsign.errors import DiffSignError
from diffsign.files import cache_folder, is_disk_full, one_at_a_time, scratch
from diffsign.models.weights import read_json, shapes_of

#: Files of a base model that say how its networks are built, and none of the weights.
CONFIGS = (
    *("model_index.json", "scheduler/*.json", "tokenizer*/*", "vae/config.json", "unet/config.json"),
    *("text_encoder/config.json", "text_encoder_2/config.json"),
)
#: Tensors without which a file is no whole Stable Diffusion.
_WHOLE = ("model.diffusion_model.", "first_stage_model.")


def _place(file: Path, configs: Path) -> Path:
    """Return where the folder made of a file is kept: it changes with the file."""
    state = file.stat()
    told = f"{file.resolve()}\n{state.st_size}\n{state.st_mtime_ns}\n{configs.resolve()}"
    return cache_folder() / "checkpoints" / f"{file.stem}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _precision(file: Path) -> Any:
    """Return the type that a file's weights have: half precision stays so."""
    import torch
    from safetensors import safe_open

    opened: Any = safe_open(str(file), framework="pt")
    with opened as tensors:
        name = next(name for name in tensors.keys() if name.startswith(_WHOLE[0]))  # noqa: SIM118
        return tensors.get_tensor(name).dtype if tensors.get_slice(name).get_shape() else torch.float32


def unpacked(file: Path, configs: Path, key: str) -> Path:
    """Return a folder in diffusers' layout with the networks of a checkpoint; it is made once, without a network.

    Args:
        file: ``.safetensors`` in the layout of the original Stable Diffusion 1.x, 2.x or XL.
        configs: folder of a base model of the same kind, of which only the configs and the tokenizer are needed.
        key: config key that names the file.

    Raises:
        DiffSignError: if the file is of another kind, or does not fit the configs.
    """
    if file.suffix != ".safetensors":
        raise DiffSignError(
            f"{key}: '{file}' may run any code when it is opened; convert it to .safetensors, or take that one of its "
            "author's."
        )
    names = shapes_of(file, "checkpoint")
    if not all(any(name.startswith(start) for name in names) for start in _WHOLE):
        raise DiffSignError(
            f"{key}: '{file}' is no whole Stable Diffusion in one file (there have to be tensors under "
            f"{' and '.join(_WHOLE)}); LoRAs, VAEs and ControlNets have keys of their own."
        )
    target = _place(file, configs)
    if target.is_dir():
        return target
    with one_at_a_time(target.parent):
        if not target.is_dir():  # else another process has made it meanwhile
            _unpack(file, configs, key, target)
    return target


def _unpack(file: Path, configs: Path, key: str, target: Path) -> None:
    import diffusers

    from diffsign.models.networks import quiet_libraries

    quiet_libraries()
    kind = str(read_json(configs / "model_index.json", "base model's index").get("_class_name"))
    pipelines: Any = diffusers
    more = {} if "XL" in kind else {"safety_checker": None, "requires_safety_checker": False}
    with scratch("checkpoint", target.parent) as making:
        try:
            pipeline = getattr(pipelines, kind).from_single_file(
                str(file), config=str(configs), local_files_only=True, torch_dtype=_precision(file), **more
            )
            pipeline.save_pretrained(making)
            for folder in [*configs.glob("scheduler"), *configs.glob("tokenizer*")]:
                # As they are: the pipeline brings some of their settings up to date.
                shutil.rmtree(making / folder.name, ignore_errors=True)
                shutil.copytree(folder, making / folder.name)
            making.rename(target)
        except (ValueError, KeyError, AttributeError, RuntimeError, OSError) as error:
            if is_disk_full(error):
                raise
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise DiffSignError(
                f"{key}: '{file}' does not fit the configs in '{configs}' ({reason}); name a base of its kind in "
                f"{key}.config."
            ) from error
