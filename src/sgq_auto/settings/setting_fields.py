"""What a field of a settings class says to the configuration, and settings made of plain values.

A settings class is a frozen dataclass. Its fields are the settings: their names, types and
defaults are also those of the configuration's schema. Standard library only.
"""

from collections.abc import Mapping
from dataclasses import Field, fields
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sgq_auto.errors import InputError

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)
# In the metadata of a field: what the configuration calls it, if it is not the field's name.
NAME = "setting"


def setting_name(of: "Field[Any]") -> str:
    """What the configuration calls a field."""
    return str(of.metadata.get(NAME, of.name))


def required_type(annotation: Any) -> tuple[Any, bool]:
    """A field's type without ``None``, and whether ``None`` was allowed.

    Raises:
        TypeError: If the field has several types.
    """
    if get_origin(annotation) is not UnionType:
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    if len(kinds) != 1:
        raise TypeError(f"{annotation}: a setting has one type, or that type or None")
    return kinds[0], True


def field_values(kind: type, config: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """The arguments of a settings class, in the types of its fields.

    Args:
        kind: The class.
        config: Plain values by the names of settings; others than the class has may be among them.
        section: Where they stand in the configuration, like ``finetune``; ``""`` for its root.

    Raises:
        InputError: If a closed choice has no such value.
    """
    hints = get_type_hints(kind)
    return {
        each.name: _value(hints[each.name], config[setting_name(each)], _whole_name(each, section))
        for each in fields(kind)
    }


def settings_from(kind: type[_T], config: Mapping[str, Any], section: str = "") -> _T:
    """Settings from plain values; see :func:`field_values`.

    Raises:
        InputError: One line that names a bad setting by its whole name, and what is allowed.
    """
    values = field_values(kind, config, section)
    try:
        return kind(**values)
    except InputError as error:
        # A class that stands in several sections knows the last part of the name only.
        if not section or str(error).startswith(section):
            raise
        raise InputError(f"{section}.{error}") from error


def choice(kind: type[_E], value: Any, name: str) -> _E:
    """A member of an enum.

    Raises:
        InputError: If there is none of this value.
    """
    try:
        return kind(value)
    except ValueError as error:
        choices = ", ".join(member.value for member in kind)
        raise InputError(f"{name}={value}: choose one of {choices}") from error


def _whole_name(of: "Field[Any]", section: str) -> str:
    return f"{section}.{setting_name(of)}" if section else setting_name(of)


def _value(annotation: Any, value: Any, name: str) -> Any:
    kind, _ = required_type(annotation)
    if value is None:
        return None
    if get_origin(kind) is tuple:
        return tuple(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return choice(kind, value, name)
    if isinstance(kind, type) and issubclass(kind, Path):
        return kind(value)
    return value
