"""What the workflow's files promise to each other."""

import re

import pytest
import yaml

from tests.workflow.conftest import ROOT

PINS = dict(
    line.strip().lower().replace("_", "-").split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line
)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_environments_have_the_tested_versions(path):
    *conda, pip = yaml.safe_load(path.read_text())["dependencies"]
    assert "python=3.11" in conda
    for requirement in pip["pip"]:
        name, version = requirement.lower().split("==")
        assert PINS[name] == version, f"{path.name} pins {requirement}, constraints.txt has {PINS[name]}"


def rules() -> list[tuple[str, str]]:
    """Return the name and text of every rule."""
    found = []
    for path in sorted((ROOT / "rules").glob("*.smk")):
        parts = re.split(r"^(?:use )?rule (\w+).*:$", path.read_text(), flags=re.M)[1:]
        found += list(zip(parts[::2], parts[1::2], strict=True))
    return found


@pytest.mark.parametrize(("name", "text"), rules(), ids=lambda value: value if value.isidentifier() else "")
def test_every_rule_is_a_contract(name, text):
    inherited = "use rule" in text or f"as {name}" in text
    for word in ("input:", "output:", "log:", "benchmark:", "threads:", "resources:", "conda:", "shell:", '"""'):
        if word == "input:" and name in ("body", "fetch"):
            continue
        assert word in text or inherited, f"rule {name} has no {word}"


def test_every_command_of_a_rule_logs_both_streams():
    for name, text in rules():
        if "shell:" in text:
            assert "{log:q} 2>&1" in text, f"rule {name} does not send both streams to its log"
