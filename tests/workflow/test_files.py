"""What the workflow's files promise to each other."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

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


def rules() -> dict[str, str]:
    """Return the text of every rule that is written out, by name."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    chunks = re.split(r"^(?=(?:use )?rule )", text, flags=re.M)
    return {found[1]: chunk for chunk in chunks if (found := re.match(r"rule (\w+):", chunk))}


#: Rules that only collect what others make.
TARGETS = {"export"}


@pytest.mark.parametrize("name", [name for name in rules() if name not in TARGETS])
def test_every_rule_is_a_contract(name):
    text = rules()[name]
    for part in ('"""', "output:", "log:", "benchmark:", "threads:", "mem_mb=", "runtime=", "conda:", "shell:"):
        assert part in text, f"rule {name} has no {part}"
    assert "{log:q} 2>&1" in text, f"rule {name} does not send both streams to its log"
    fixed = re.findall(r"(?:mem_mb|runtime)=(?!growing|lasting|lambda wildcards, attempt)\S+", text)
    assert not fixed, f"rule {name}: {fixed} does not grow with every attempt"
