"""Settings of a table as YAML gives them: names of columns that may be numbers, one or several."""

from collections.abc import Sequence
from typing import Any

from sgq_auto.errors import InputError

# A name, which YAML reads as a number where it looks like one.
Name = str | int | float
_TABLES = ("nodes", "edges")


def name_of(value: Name) -> str:
    """A column's name: 2 means the column called ``2``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def names_of(value: Sequence[Any] | Name | None) -> list[str] | None:
    """Names of columns; one alone is a list of one."""
    if value is None:
        return None
    if isinstance(value, str | int | float):
        return [name_of(value)]
    return ["null" if each is None else name_of(each) for each in value]


def has_header(value: bool | str | None, table: str) -> bool | None:
    """Whether a table has a header: of both tables, or of the one that is named.

    Raises:
        InputError: If it is none of ``true``, ``false``, ``nodes``, ``edges`` and nothing.
    """
    if value is None or isinstance(value, bool):
        return value
    if value not in _TABLES:
        raise InputError(
            f"dataset.source.header={value}: it must be true or false; or nodes or edges, where "
            "that table alone has one"
        )
    return None if table not in _TABLES else value == table
