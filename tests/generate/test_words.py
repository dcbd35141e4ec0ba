"""What a signer's words leave open is said by the family, where nothing else says it."""

from pathlib import Path

import pytest

from diffsign.config.family import family_named, resolve_families
from diffsign.config.generate import FetchSettings
from diffsign.fetch.stage import fetch_family
from diffsign.generate.encode import completed, encode_signer

ROOT = Path(__file__).parents[2]
DEMO = family_named("demo", resolve_families())


@pytest.mark.parametrize(
    ("words", "added"),
    [
        ("a woman in a green shirt", ["tan skin", "brown hair", "long sleeves", "beige background"]),
        ("a dark-skinned, blonde woman in a T-shirt before a white wall", []),
        ("a woman with Red Hair", ["tan skin", "blue shirt", "long sleeves", "beige background"]),
        ("a teenager in a short-sleeved top, on a pink background", ["tan skin", "brown hair"]),
        ("", ["tan skin", "brown hair", "blue shirt", "long sleeves", "beige background"]),
    ],
)
def test_only_what_is_open_is_added(words, added):
    assert completed(words, DEMO.completions) == ", ".join([words, *added])


def test_beside_a_picture_words_stay_as_they_are():
    manifest = fetch_family("demo", DEMO, FetchSettings(controls=["pose"]))
    asked = "a person with a yellow shirt"
    assert encode_signer(manifest, text=asked, device="cpu").prompt == completed(asked, DEMO.completions)
    assert encode_signer(manifest, [ROOT / "config/demo/reference.png"], asked, device="cpu").prompt == asked
    without = manifest.model_copy(update={"family": DEMO.model_copy(update={"completions": []})})
    assert encode_signer(without, text=asked, device="cpu").prompt == asked
