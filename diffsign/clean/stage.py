"""Clean keypoints: swaps undone, impossible points taken out, short gaps filled, noise smoothed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diffsign.clean.steps import clean_keypoints
from diffsign.config.clean import CleanSettings
from diffsign.records.keypoints import Change, Keypoints, load_keypoints, save_keypoints


@dataclass(frozen=True)
class Inputs:
    """Keypoints as detected."""

    keypoints: Path


@dataclass(frozen=True)
class Outputs:
    """Keypoints as cleaned."""

    keypoints: Path


def run(inputs: Inputs, outputs: Outputs, settings: CleanSettings, *, threads: int = 1) -> str:
    """Clean the keypoints of a clip and write them; ``threads`` is there for the stages' common shape.

    Returns:
        The line that the command prints.

    Raises:
        DiffSignError: if the keypoints cannot be read.
    """
    cleaned = clean_keypoints(load_keypoints(inputs.keypoints), settings)
    save_keypoints(outputs.keypoints, cleaned)
    return f"{outputs.keypoints}: {summarise(cleaned)}"


def summarise(keypoints: Keypoints) -> str:
    """Say in one line how many points of how many were changed in which way."""
    total = keypoints.changes.size
    counts = {change: int((keypoints.changes & change > 0).sum()) for change in Change}
    words = [f"{change.name.lower()} {counts[change]}" for change in Change if change is not Change.CUT and change.name]
    cuts = int((keypoints.changes & Change.CUT > 0).any(axis=1).sum())
    return f"of {total} points {', '.join(words)}; {cuts} cuts"
