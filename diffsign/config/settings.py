"""Settings of every stage: one model a stage, from which config, schema, flags and help are made.

A field has a type, a range, a default and a sentence (its ``description``). The same model checks the
section of the config file and the flags of the stage's command, so that a rule passes to its command
just what a person would type.
"""

from __future__ import annotations

import contextlib
import json
import os
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from diffsign.config.renamed import former_names, renamed, up_to_date
from diffsign.errors import explain_validation

Model = TypeVar("Model", bound="Settings")

NUMBERS_AND_TEXT = (str, int, float)


def _usable_path(text: str) -> str:
    """Return a path with the home folder in place of ``~``, and none that a command would take for a flag."""
    path = os.path.expanduser(text)  # noqa: PTH111 - Path would drop what a path may end in
    return os.path.join(os.getcwd(), path) if path.startswith("-") else path  # noqa: PTH109, PTH118


def _no_pattern(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("the workflow reads '{' and '}' as a pattern; give it another name")
    return text


#: Path of a file or folder that is read: ``~`` is the home folder.
InputPath = Annotated[str, Field(min_length=1), AfterValidator(_usable_path)]

#: The same, of a file that the workflow names in its rules.
TrackedPath = Annotated[InputPath, AfterValidator(_no_pattern)]

#: Path of a folder that the workflow writes to, and names in its rules.
OutputFolder = Annotated[str, Field(min_length=1), AfterValidator(_usable_path), AfterValidator(_no_pattern)]


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused, defaults checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _take_former_names(cls, values: Any) -> Any:
        """Read files of earlier versions; :func:`parse` warns of old names in what a person writes."""
        return renamed(cast("dict[str, Any]", values), former_names(cls)) if isinstance(values, dict) else values

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is meant, which pydantic reads as 1 and 0."""
        if isinstance(value, bool) and info.field_name is not None:
            kind = plain_type(cls.model_fields[info.field_name].annotation)
            numbers = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
            if kind in (int, float) or any(isinstance(choice, int) for choice in numbers):
                raise ValueError("a number is expected")
        return value


def plain_type(annotation: Any) -> Any:
    """Return ``X`` for ``X``, for ``X | None`` and for ``Annotated[X, ...]``."""
    if typing.get_origin(annotation) is Annotated:
        return plain_type(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        return plain_type(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def is_scalar(annotation: Any) -> bool:
    """Tell whether a field is given as it is: a number or a word (and not as JSON: a list, a table, a model)."""
    kind = plain_type(annotation)
    if typing.get_origin(kind) is Literal:
        return all(isinstance(choice, str) for choice in typing.get_args(kind))
    return kind in NUMBERS_AND_TEXT


def parse(model: type[Model], values: dict[str, Any], where: str) -> Model:
    """Check ``values`` against ``model``; raise one sentence per problem, naming ``where``."""
    try:
        return model.model_validate(up_to_date(model, values, where))
    except ValidationError as error:
        raise explain_validation(error, where, known=_names(model)) from error


def _names(model: type[BaseModel]) -> list[str]:
    """Return the names of a model's fields, and of those of the models in it."""
    inner = [field.annotation for field in model.model_fields.values()]
    models = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return list(dict.fromkeys([*model.model_fields, *(name for kind in models for name in _names(kind))]))


def parse_flags(model: type[Model], flags: dict[str, Any], where: str) -> Model:
    """Check what the command line gave: text for numbers and words, JSON for anything larger, None for not given."""
    values: dict[str, Any] = {}
    for name, value in flags.items():
        if value is None:
            continue
        if isinstance(value, str) and value == "null":
            value = None
        elif isinstance(value, str) and not is_scalar(model.model_fields[name].annotation):
            with contextlib.suppress(json.JSONDecodeError):  # the model's own complaint shows the text that came
                value = json.loads(value)
        values[name] = value
    return parse(model, values, where)


def to_flags(settings: Settings) -> list[str]:
    """Return the command-line flags that give these settings, one string a flag, every field written out."""
    flags: list[str] = []
    for name, value in settings.model_dump(mode="json").items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(flag if value else "--no-" + name.replace("_", "-"))
        elif isinstance(value, str):
            flags.append(f"{flag}={value}")
        else:
            flags.append(f"{flag}={json.dumps(value)}")
    return flags


def repeated(flag: str, values: Iterable[object]) -> list[str]:
    """Return a flag once for every value."""
    return [f"{flag}={value}" for value in values]


def given(**values: object) -> list[str]:
    """Return a flag for every value that is there."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value not in (None, "")]
