"""The paper's experiments: which of them run, and what they share.

Each is a run with a config of its own. What is made from the videos alone, up to the controls, is made once for all
whose videos and settings are the same, and taken over by them (``videos_from``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from diffsign.config.compare import CompareSettings
from diffsign.config.schema import Config, load_config, load_videos
from diffsign.config.settings import parse
from diffsign.errors import DiffSignError, nearest

FOLDER = Path("config/experiments")
#: The run that makes what is shared.
SOURCE = "source"
#: Sections of the config that what is made from videos alone depends on.
SHARED = ("body", "say", "ingest", "detect", "clean", "import_motion", "fit", "smooth", "render", "control")


def chosen_experiments(config: Config, known: Sequence[str]) -> list[str]:
    """Return the experiments that the target runs: those that the config names, or the config laid over them, or all.

    Raises:
        DiffSignError: if one is unknown.
    """
    overlay = _read(Path(config.experiments_overlay)) if config.experiments_overlay else {}
    chosen = config.experiments or overlay.get("experiments") or list(known)
    for name in chosen:
        if name not in known:
            there = ", ".join(known)
            raise DiffSignError(f"experiments: there is no '{name}'{nearest(name, known)}; there are {there}.")
    return list(chosen)


def comparison(config: Config) -> CompareSettings:
    """Return how the target compares: as the config says, or the config laid over the experiments.

    Unless it is said, by signer, each with the others of its experiment, because experiments select different frames.
    """
    overlay = _read(Path(config.experiments_overlay)) if config.experiments_overlay else {}
    usual = {} if config.compare.by != "auto" else {"by": "signer", "best": "run"}
    values = config.compare.model_dump() | usual
    return parse(CompareSettings, values | overlay.get("compare", {}), "compare")


def overrides(config: Config, name: str) -> list[str]:
    """Return what an experiment of the target is told beside its config, as ``key=value``: folders, and what it shares.

    Args:
        config: of the run whose target it is.
        name: of the experiment, or :data:`SOURCE`.
    """
    folder, source = (f"{config.results}/experiments/{run}" for run in (name, SOURCE))
    told = [f"results={folder}", f"resources={folder}/resources"]
    if name == SOURCE:
        return [*told, "frames=[]"]
    one = _config_of(config, name)
    if not shares_videos(one, _config_of(config, SOURCE)):
        return told
    return [
        *told,
        f"videos_from={source}",
        *([] if one.body or one.cache else [f"body={source}/resources/body/body.npz"]),
    ]


def shares_videos(one: Config, source: Config) -> bool:
    """Return whether every video of a run is among another's, and made with the same settings up to the controls."""
    if any(getattr(one, section) != getattr(source, section) for section in SHARED):
        return False
    others = {name: row.model_copy(update={"caption": None}) for name, row in load_videos(source).items()}
    return all(
        others.get(name) == row.model_copy(update={"caption": None, "frames": None})
        for name, row in load_videos(one).items()
    )


def _config_of(config: Config, name: str) -> Config:
    values = _read(FOLDER / f"{name}.yaml")
    if config.experiments_overlay:
        update_config(values, _read(Path(config.experiments_overlay)))
    return load_config(values, f"experiment '{name}'")


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
