"""Names of earlier versions: still taken, each with one warning that says what it is called now.

A field says its former names where it is defined, ``Field(..., json_schema_extra=formerly("words"))``; the config, the
sheets and the flags made from the model then take the old name.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, get_args

from diffsign.errors import DiffSignError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.config import JsonDict
    from pydantic.fields import FieldInfo

log = logging.getLogger(__name__)


def formerly(*names: str, values: Mapping[str, str] | None = None) -> JsonDict:
    """Return what a field's ``json_schema_extra`` says of its past.

    Args:
        names: what the field was called, as a key of the config (``_`` and ``-`` of the flag follow).
        values: values of a choice that were renamed, old to new.
    """
    return {"formerly": [*names], "former_values": {**(values or {})}}


def former_names(model: type[BaseModel]) -> dict[str, str]:
    """Return the former names of a model's fields, each with the present one."""
    return {old: name for name, field in model.model_fields.items() for old in cast("list[str]", _past(field, []))}


@functools.cache
def warn(where: str, old: str, new: str) -> None:
    """Say once what an old name is called now."""
    log.warning("%s: '%s' is called '%s' now; the old name still works.", where, old, new)


def renamed(values: Mapping[str, Any], names: Mapping[str, str], where: str | None = None) -> dict[str, Any]:
    """Return ``values`` under present names; warn, naming ``where``, unless it is None.

    Raises:
        DiffSignError: if a value is given under both names.
    """
    for old, new in names.items():
        if old in values and new in values:
            raise DiffSignError(f"{where or 'settings'}: '{old}' is the former name of '{new}'; give only '{new}'.")
        if old in values and where is not None:
            warn(where, old, new)
    return {names.get(key, key): value for key, value in values.items()}


def up_to_date(model: type[BaseModel], values: Any, where: str, path: str = "") -> Any:
    """Return the values of a model, and of the models in it, under present names; warn of each old one.

    Args:
        model: whose fields say their former names.
        values: what was read; anything but a mapping comes back as it is, for the model to complain about.
        where: the file, sheet or command that the values came from.
        path: keys above, each followed by a dot.
    """
    if not isinstance(values, Mapping):
        return values
    given = cast("Mapping[str, Any]", values)
    names = {path + old: path + new for old, new in former_names(model).items()}
    present = renamed({path + str(key): value for key, value in given.items()}, names, where)
    current = {key.removeprefix(path): value for key, value in present.items()}
    for name, field in model.model_fields.items():
        if name in current:
            current[name] = _inside(field.annotation, current[name], where, path + name)
            choices = cast("dict[str, str]", _past(field, {}, "former_values"))
            if isinstance(current[name], str) and current[name] in choices:
                warn(where, f"{path}{name}: {current[name]}", f"{name}: {choices[current[name]]}")
                current[name] = choices[current[name]]
    return current


def _past(field: FieldInfo, default: Any, key: str = "formerly") -> Any:
    extra = field.json_schema_extra
    return cast("dict[str, Any]", extra).get(key, default) if isinstance(extra, dict) else default


def _inside(annotation: Any, value: Any, where: str, path: str) -> Any:
    """Bring the models inside a field's value up to date: in a union, a list, or the values of a table."""
    if hasattr(annotation, "model_fields"):
        return up_to_date(annotation, value, where, f"{path}.")
    kinds = [kind for kind in get_args(annotation) if hasattr(kind, "model_fields") or get_args(kind)]
    if not kinds:
        return value
    if getattr(annotation, "__origin__", None) is dict and isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {key: _inside(kinds[-1], item, where, f"{path}.{key}") for key, item in table.items()}
    if getattr(annotation, "__origin__", None) is list and isinstance(value, list):
        return [_inside(kinds[0], item, where, f"{path}.{n}") for n, item in enumerate(cast("list[Any]", value))]
    for kind in kinds if isinstance(value, (Mapping, list)) else []:
        value = _inside(kind, value, where, path)
    return cast("Any", value)
