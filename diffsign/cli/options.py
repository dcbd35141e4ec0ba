"""Commands whose flags come from a settings model."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
import typer
from pydantic.fields import FieldInfo

from diffsign.cli.renamed import former_flags
from diffsign.config.renamed import former_names
from diffsign.config.settings import Settings, is_scalar, parse_flags, plain_type


def _bounds(field: FieldInfo) -> str:
    words = []
    for constraint in field.metadata:
        if isinstance(constraint, annotated_types.Ge):
            words.append(f"at least {constraint.ge}")
        elif isinstance(constraint, annotated_types.Gt):
            words.append(f"more than {constraint.gt}")
        elif isinstance(constraint, annotated_types.Le):
            words.append(f"at most {constraint.le}")
        elif isinstance(constraint, annotated_types.Lt):
            words.append(f"less than {constraint.lt}")
        elif isinstance(constraint, annotated_types.MultipleOf):
            words.append(f"a multiple of {constraint.multiple_of}")
    return ", ".join(words)


def _metavar(field: FieldInfo) -> str:
    kind = plain_type(field.annotation)
    if get_origin(kind) is Literal:
        return "|".join(str(choice) for choice in get_args(kind))
    if is_scalar(field.annotation):
        return {int: "INTEGER", float: "NUMBER", str: "TEXT"}[kind]
    return "JSON"


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    flag = "--" + name.replace("_", "-")
    default = field.get_default(call_default_factory=True)
    notes = [note for note in (_bounds(field), f"default: {default}" if default is not None else "") if note]
    help_text = (field.description or "") + (f" ({'; '.join(notes)})" if notes else "")
    if plain_type(field.annotation) is bool:
        option = typer.Option(f"{flag}/--no-{flag[2:]}", help=help_text, show_default=False)
        annotation: Any = bool | None
    else:
        option = typer.Option(flag, help=help_text, metavar=_metavar(field), show_default=False)
        annotation = str | None
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[annotation, option]
    )


def _former_flags(model: type[Settings]) -> dict[str, str]:
    names = {old.replace("_", "-"): new.replace("_", "-") for old, new in former_names(model).items()}
    return {prefix + old: prefix + new for old, new in names.items() for prefix in ("--", "--no-")}


def with_settings(model: type[Settings], parameter: str = "settings") -> Callable[[Callable], Callable]:
    """Replace a command's keyword ``parameter`` by one flag for every field of ``model``.

    The command receives the checked model; a value out of range ends in one sentence that names the flag.
    """

    def decorate(command: Callable) -> Callable:
        own = inspect.signature(command, eval_str=True)
        kept = [p for p in own.parameters.values() if p.name != parameter]

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            flags = {name: kwargs.pop(name) for name in model.model_fields}
            where = f"diffsign {command.__name__.removesuffix('_command').replace('_', '-')}"
            return command(*args, **kwargs, **{parameter: parse_flags(model, flags, where)})

        options = [_option(name, field) for name, field in model.model_fields.items()]
        run.__signature__ = inspect.Signature([*kept, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in [*kept, *options]}
        return former_flags(_former_flags(model))(run)

    return decorate
