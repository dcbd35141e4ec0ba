import os
import subprocess
import sys
from typing import Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.config.settings import Settings, to_flags
from diffsign.errors import DiffSignError


class Example(Settings):
    rate: float = Field(24.0, gt=0, description="Rate of things.")
    size: int | None = Field(None, multiple_of=8, description="Size of things.")
    level: Literal[0, 1, 2] = Field(1, description="Level of things.")
    mode: Literal["slow", "fast"] = Field("slow", description="Mode of things.")
    sharp: bool = Field(True, description="Whether things are sharp.")
    name: str | None = Field("a b", description="Name of things.")
    weights: list[float] = Field([1.0, 2.0], description="Weights of things.")


def run(*flags: str) -> Example:
    seen = []
    example = typer.Typer()

    @example.command()
    @with_settings(Example)
    def command(*, settings: Example) -> None:
        seen.append(settings)

    result = CliRunner().invoke(example, list(flags))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return seen[0]


@pytest.mark.parametrize(
    "settings",
    [
        Example(),
        Example(rate=0.5, size=16, level=2, mode="fast", sharp=False, name=None, weights=[]),
        Example(name='it\'s "quoted" -- --rate=3'),
    ],
)
def test_flags_give_back_the_settings(settings):
    assert run(*to_flags(settings)) == settings


def test_no_flags_give_the_defaults():
    assert run() == Example()


@pytest.mark.parametrize(
    ("flag", "complaint"),
    [
        ("--rate=fast", "'rate' is 'fast'"),
        ("--rate=-1", "greater than 0"),
        ("--level=7", "0, 1 or 2"),
        ("--weights=1,2", "'weights' is '1,2'"),
    ],
)
def test_bad_values_end_in_one_sentence(flag, complaint):
    with pytest.raises(DiffSignError, match=complaint):
        run(flag)


def commands(group: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]
    return found


@pytest.mark.parametrize("path", commands(typer.main.get_command(app)), ids=" ".join)
def test_every_command_explains_itself(path):
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{' '.join(path)}: {parameter.name} has no help"


def test_commands_draw_without_the_backend_of_a_notebook():
    notebook = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    program = "import matplotlib.pyplot as p; print(p.get_backend())"
    script = f"import diffsign.cli as c; c._Root.__call__ = lambda self: exec({program!r}); c.main()"
    said = subprocess.run([sys.executable, "-c", script], env=notebook, capture_output=True, text=True, check=True)
    assert said.stdout.strip().lower() == "agg"


def test_a_command_without_memory_says_so_without_taking_any():
    script = (
        "import diffsign.cli as c\n"
        "def refuse(*_, **__): raise MemoryError\n"
        "c.Console = c._Root.__call__ = refuse\n"
        "c.main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == os.EX_TEMPFAIL
    assert ended.stderr == "Failed: there is not enough memory; give the job more, or make batches smaller.\n"
