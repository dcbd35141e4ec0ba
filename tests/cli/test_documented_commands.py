"""Commands that README, docs and the notebook show are there, with their flags."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from diffsign.cli import app
from diffsign.cli.panels import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "diffsign.ipynb"
COMMANDS = typer.main.get_command(app)
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Dockerfile", "config/README.md")]
PAGES += [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "config/experiments").glob("*.md"))]


def cells() -> list[str]:
    """Return the code cells of the notebook."""
    read = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in read if cell["cell_type"] == "code"]


def shown(text: str) -> Iterator[str]:
    """Give the commands of ours in a page: lines of code, and code within a sentence."""
    text = text.replace("\\\n", " ")
    yield from re.findall(r"^[!\s]*(?:python -m )?(diffsign [^\n]*)$", text, flags=re.M)
    yield from (" ".join(code.split()) for code in re.findall(r"`(?:python -m )?(diffsign\s[^`]*)`", text))


def unknown(command: str) -> str | None:
    """Return what of a command is not there."""
    try:
        words = shlex.split(command.split(" > ")[0], comments=True)[1:]
    except ValueError:
        words = command.split()[1:]
    place = COMMANDS
    while words and hasattr(place, "commands"):
        if not re.fullmatch(r"[a-z][a-z-]*", words[0]):
            break  # a flag, or a word that stands for any command
        if words[0] not in place.commands:
            return words[0]
        place = place.commands[words.pop(0)]
    flags = {flag for parameter in place.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.partition("=")[0] for word in words[: words.index("--") if "--" in words else None]]
    return next((flag for flag in given if re.fullmatch(r"--[a-z-]+", flag) and flag not in {*flags, "--help"}), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_are_there(page):
    wrong = {command: word for command in shown(page.read_text(encoding="utf-8")) if (word := unknown(command))}
    assert wrong == {}


@pytest.mark.parametrize("line", EXAMPLES, ids=lambda line: " ".join(line.split()[1:3]))
def test_examples_of_the_help_are_whole(line):
    _, *words = shlex.split(line)
    command = COMMANDS
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)  # fails where an argument is missing or unknown
    assert line in command.epilog


def test_a_wrong_command_would_be_found():
    page = 'Type `diffsign fitt a b`.\n\n```\ndiffsign run my.mp4 --texts "a man"\n```\n'
    assert [unknown(command) for command in shown(page)] == ["--texts", "fitt"]
    assert len([*shown((ROOT / "README.md").read_text(encoding="utf-8"))]) > 5


def test_cells_of_the_notebook_are_python_and_their_commands_are_there():
    assert len(cells()) > 4
    for cell in cells():
        ast.parse(re.sub(r"^( *)!.*$", r"\1pass", cell, flags=re.M))
        assert [word for command in shown(cell) if (word := unknown(command))] == []
    assert sum(command.startswith("diffsign run") for cell in cells() for command in shown(cell)) == 2
