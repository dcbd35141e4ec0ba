"""The weights that ship: small, whole, and loaded by this code."""

import json
import re
from pathlib import Path

import diffsign
from diffsign.training.layout import load_family, read_card

FOLDER = Path(diffsign.__file__).parent / "weights" / "demo"


def test_weights_are_small_and_load():
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) < 25 * 2**20
    assert set(load_family(FOLDER).controlnets) == {"pose", "canny", "depth"}


def test_card_and_readme_agree_on_how_far_they_are_trained():
    readme, card = (FOLDER / "README.md").read_text(encoding="utf-8"), read_card(FOLDER)
    steps = re.search(r"Steps: (\{.*?\})", readme)
    assert steps and json.loads(steps[1]) == card["steps"]
    assert card["trained"] is True
    assert "license: mit" in readme
