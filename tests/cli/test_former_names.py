"""Flags and commands of earlier versions."""

import logging
from typing import Annotated

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from diffsign.cli import app, renamed
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands, Group, former_flags
from diffsign.config.renamed import formerly, warn
from diffsign.config.settings import Settings


class Example(Settings):
    edge_low: int = Field(1, json_schema_extra=formerly("low"), description="A number.")
    smooth: bool = Field(True, json_schema_extra=formerly("even"), description="A switch.")


@pytest.fixture
def run(monkeypatch, caplog):
    """Run an example's command line; return what the command got and the warnings."""
    warn.cache_clear()
    caplog.set_level(logging.WARNING)
    monkeypatch.setitem(renamed.FORMER_COMMANDS, "old draw", "pictures draw")
    got: list[tuple[Example, str]] = []
    example = Commands(cls=Group)
    pictures = Commands()
    example.add_typer(pictures, name="pictures")
    example.callback()(lambda: None)

    @pictures.command()
    @former_flags({"--words": "--prompt"})
    @with_settings(Example)
    def draw(prompt: Annotated[str, typer.Option(help="Words.")], *, settings: Example) -> None:
        got.append((settings, prompt))

    def call(*arguments: str):
        result = CliRunner().invoke(example, list(arguments))
        assert result.exit_code == 0, (result.output, result.exception)
        return *got[-1], [record.getMessage() for record in caplog.records]

    return call


def test_present_flags_give_no_warning(run):
    settings, prompt, said = run("pictures", "draw", "--prompt=a", "--edge-low=3", "--no-smooth")
    assert (settings, prompt, said) == (Example(edge_low=3, smooth=False), "a", [])


def test_former_flags_are_taken_with_a_warning(run):
    settings, prompt, said = run("pictures", "draw", "--words", "a", "--low=3", "--no-even")
    assert (settings, prompt) == (Example(edge_low=3, smooth=False), "a")
    pairs = [("--words", "--prompt"), ("--low", "--edge-low"), ("--no-even", "--no-smooth")]
    assert len(said) == 3
    assert all(any(f"'{old}'" in line and f"'{new}'" in line for line in said) for old, new in pairs)


def test_a_former_command_is_taken_with_a_warning(run):
    settings, _, said = run("old", "draw", "--prompt=a")
    assert settings == Example()
    assert len(said) == 1 and "'pictures draw'" in said[0]


def test_former_names_are_not_in_the_help():
    for old in renamed.FORMER_COMMANDS:
        assert f" {old} " not in CliRunner().invoke(app, ["--help"]).output


@pytest.mark.parametrize("old", renamed.FORMER_COMMANDS)
def test_every_former_command_leads_somewhere(old):
    assert CliRunner().invoke(app, [*old.split(), "--help"]).exit_code == 0
