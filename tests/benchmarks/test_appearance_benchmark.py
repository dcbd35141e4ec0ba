"""The benchmark of appearance: what it asks for was never drawn in training, and it can tell right from wrong."""

from pathlib import Path

import appearance
import appearance_measures
import numpy as np
import pytest

from diffsign.errors import DiffSignError
from diffsign.training.attributes import CHOICES, Attributes

ROOT = Path(__file__).parents[2]


def test_looks_are_kept_from_training_and_every_shirt_comes():
    drawn = appearance_measures.held_out_attributes(20, np.random.default_rng(0))
    assert all(attributes.held_out() for attributes in drawn)
    assert [attributes.shirt for attributes in drawn[:10]] == list(CHOICES["shirt"])


def test_training_draws_every_pair_of_values_but_no_held_out_look():
    rng = np.random.default_rng(0)
    drawn = [Attributes.random(rng) for _ in range(4000)]
    assert not any(attributes.held_out() for attributes in drawn)
    pairs = {(attributes.shirt, attributes.background) for attributes in drawn}
    assert len(pairs) == len(CHOICES["shirt"]) * len(CHOICES["background"])


def test_shares_count_only_what_is_in_view():
    rows = [{"hair": True, "shirt": False}, {"shirt": True}, {}]
    assert appearance_measures.share(rows) == pytest.approx(2 / 3, abs=1e-4)
    assert appearance_measures.share(rows, ["hair"]) == 1
    assert appearance_measures.share(rows, ["sleeves"]) is None


def test_targets_know_which_way_is_better():
    figures = {"words_all": 0.91, "body_pck": 0.94, "flicker": 1.6, "words_hair": 0.2, "picture_all": None}
    told = {name: verdict for name, _, _, verdict in appearance.lines(figures)}
    assert told == {
        "words all": "reached",
        "body pck": "missed by 0.010",
        "flicker": "missed by 0.100",
        "words hair": "",
        "picture all": "",
    }


def test_flicker_is_that_of_the_pictures_over_that_of_the_rendering():
    slope = np.linspace(20, 200, 64, dtype=np.uint8)
    still = np.broadcast_to((slope[:, None, None] // 2 + slope[None, :, None] // 2), (4, 64, 64, 3)).copy()
    blinking = still.copy()
    blinking[1::2] += 20
    inside = np.zeros((4, 64, 64), bool)
    inside[:, 8:-8, 8:-8] = True
    base, error = appearance_measures.flicker(still, blinking, inside)
    assert base == pytest.approx(0, abs=1e-6)
    assert error == pytest.approx((20 / 255) ** 2, rel=0.01)


def test_the_table_goes_between_the_marks_of_a_document(tmp_path):
    report = {"options": {"clips": 1}, "figures": {"words_all": 0.95}}
    path = tmp_path / "doc.md"
    path.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n", encoding="utf-8")
    appearance.document(report, path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| words all | 0.95 | ≥ 0.9 | reached |" in text
    assert "old" not in text
    path.write_text("no marks", encoding="utf-8")
    with pytest.raises(DiffSignError, match="has no lines"):
        appearance.document(report, path)
