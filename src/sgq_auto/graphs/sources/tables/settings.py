"""Settings of a table as YAML gives them: names of columns that may be numbers, one or several."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class EdgeValues:
    """What edges have in a table.

    Attributes:
        columns: The column of their weights, or those of their features.
        are_features: Whether they are a matrix, even where there is one column.
    """

    columns: tuple[str, ...] = ()
    are_features: bool = False


def edge_values_of(weight: Name | None, features: Sequence[Any] | Name | None) -> EdgeValues:
    """The columns of an edge's weight, or of its features.

    Raises:
        InputError: If both are set, or a list is empty.
    """
    names = names_of(features)
    if names is not None and weight is not None:
        raise InputError(
            "dataset.source.edge_weight and dataset.source.edge_features are both set; edges have "
            "either a weight or features here: leave one out"
        )
    if names == []:
        raise InputError("dataset.source.edge_features=[]: name a column, or leave it out")
    if names is not None and len(set(names)) < len(names):
        raise InputError(f"dataset.source.edge_features={names}: a column is named twice")
    if names is not None:
        return EdgeValues(tuple(names), are_features=True)
    return EdgeValues(() if weight is None else (name_of(weight),))


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
