"""Commands and flags of earlier versions: still taken, with a warning that says what they are called now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from diffsign.cli.panels import example, order, panel
from diffsign.config.renamed import warn

Function = TypeVar("Function", bound=Callable[..., Any])

#: Commands by what they were called; names of groups stand before.
FORMER_COMMANDS = {"demo-signer": "synthetic-signer", "train": "train-demo"}


def former_flags(names: Mapping[str, str]) -> Callable[[Function], Function]:
    """Let a command take flags by what they were called, as in ``{"--words": "--prompt"}``.

    Flags made from settings take their former names by themselves (:func:`diffsign.config.renamed.formerly`).
    """

    def decorate(command: Function) -> Function:
        command.__dict__["former_flags"] = {**command.__dict__.get("former_flags", {}), **names}
        return command

    return decorate


class Command(TyperCommand):
    """A command that knows what its flags were called."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put present names in the place of former ones, then parse."""
        names: dict[str, str] = getattr(self.callback, "former_flags", {})
        end = args.index("--") if "--" in args else len(args)
        for position, argument in enumerate(args[:end]):
            flag, equals, value = argument.partition("=")
            if flag in names:
                warn(ctx.command_path, flag, names[flag])
                args[position] = names[flag] + equals + value
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """The commands, which may be called by what they were called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Put a command's present name in the place of a former one, then find it."""
        for old, new in FORMER_COMMANDS.items():
            words = old.split()
            if args[: len(words)] == words:
                warn(ctx.command_path, old, new)
                args = new.split() + args[len(words) :]
                break
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of the help."""
        return order(super().list_commands(ctx))


class Commands(typer.Typer):
    """A group of commands that are :class:`Command`."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Register a command, as :meth:`typer.Typer.command` does, under its heading."""

        def decorate(function: Any) -> Any:
            called = name or function.__name__.replace("_", "-")
            shown = {
                "rich_help_panel": self._heading(called),
                "epilog": example(called, group=self.info.cls is not Group),
            }
            known = {"cls": Command, **shown, **options}
            return super(Commands, self).command(name, **known)(function)

        return decorate

    def add_typer(self, group: typer.Typer, *, name: str, **options: Any) -> None:
        """Register a group of commands, as :meth:`typer.Typer.add_typer` does, under its heading."""
        super().add_typer(group, name=name, **{"rich_help_panel": self._heading(name), **options})

    def _heading(self, name: str) -> str | None:
        return panel(name) if self.info.cls is Group else None
