"""Tables that fit the terminal: what matters least is left out before anything is cut."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

_GAP = 2
# Words in a first column may be wrapped to so many characters before a figure is left out.
_WRAPPED = 24


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: Its heading.
        cells: Its cells, one a row.
        rank: How much it matters: the lowest is left out first. ``None`` for what always stays.
        brief: Shorter cells that say the same with less detail, tried before any is left out.
        is_text: Whether it is words, from the left, that may be wrapped; else figures.
    """

    heading: str
    cells: Sequence[str]
    rank: int | None = None
    brief: Sequence[str] | None = None
    is_text: bool = False

    @property
    def width(self) -> int:
        """Characters that it takes."""
        return max(len(text) for text in (self.heading, *self.cells))


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that a table of ``width`` characters has room for, in their order.

    Cells are made brief first, then the columns of lowest rank are left out.
    """
    kept = list(columns)
    while _least_width(kept) > width:
        brief = [k for k, column in enumerate(kept) if column.brief is not None]
        ranks = {k: column.rank for k, column in enumerate(kept) if column.rank is not None}
        if brief:
            kept[brief[0]] = replace(kept[brief[0]], cells=kept[brief[0]].brief or (), brief=None)
        elif ranks:
            del kept[min(ranks, key=lambda k: ranks[k])]
        else:
            break
    return kept


def print_columns(console: Console, columns: Sequence[Column]) -> None:
    """Print a table: every column into a file, those that fit on a terminal."""
    kept = fitting(columns, console.width) if console.is_terminal else list(columns)
    room = max(_WRAPPED, console.width - _figures_width(kept))
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for column in kept:
        if column.is_text:
            wraps = console.is_terminal and column.width > room
            width = room if wraps else column.width
            table.add_column(column.heading, width=width, no_wrap=not wraps, overflow="fold")
        else:
            table.add_column(column.heading, justify="right", no_wrap=True, width=column.width)
    for row in zip(*(column.cells for column in kept), strict=True):
        table.add_row(*row)
    # No figure is ever cut: a terminal that is narrower still wraps the line itself.
    needed = sum(column.width + _GAP for column in kept)
    console.print(table, width=max(console.width, needed) if not console.is_terminal else None)


def _least_width(columns: Sequence[Column]) -> int:
    words = sum(min(column.width, _WRAPPED) for column in columns if column.is_text)
    return words + _figures_width(columns)


def _figures_width(columns: Sequence[Column]) -> int:
    """Characters of all figures, and of the gaps."""
    figures = sum(column.width for column in columns if not column.is_text)
    return figures + _GAP * (len(columns) - 1)
