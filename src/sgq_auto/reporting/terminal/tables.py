"""Tables that fit the terminal: what matters least is left out before anything is cut."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

_GAP = 2
# Words in a first column may be wrapped to so many characters before a figure is left out.
_WRAPPED = 24
_NARROWEST = 8


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: Its heading.
        cells: Its cells, one a row.
        rank: How much it matters: the lowest is left out first. ``None`` for what always stays.
        brief: Shorter cells that say the same with less detail.
        brief_rank: How much that detail matters, beside the ranks of columns.
        is_text: Whether it is words, from the left, that may be wrapped; else figures.
    """

    heading: str
    cells: Sequence[str]
    rank: int | None = None
    brief: Sequence[str] | None = None
    brief_rank: int = -1
    is_text: bool = False

    @property
    def width(self) -> int:
        """Characters that its longest cell or its heading takes."""
        return max(len(text) for text in (self.heading, *self.cells))


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that a table of ``width`` characters has room for, in their order.

    What matters least is given up first: the detail of cells, or whole columns.
    """
    kept = list(columns)
    while _least_width(kept) > width:
        details = {k: column.brief_rank for k, column in enumerate(kept) if column.brief}
        ranks = {k: column.rank for k, column in enumerate(kept) if column.rank is not None}
        if not details and not ranks:
            break
        place = min(details, key=lambda k: details[k], default=-1)
        if details and details[place] <= min(ranks.values(), default=details[place]):
            kept[place] = replace(kept[place], cells=kept[place].brief or (), brief=None)
        else:
            del kept[min(ranks, key=lambda k: ranks[k])]
    return kept


def print_columns(console: Console, columns: Sequence[Column]) -> None:
    """Print a table: every column into a file, those that fit on a terminal."""
    if console.is_terminal:
        kept = fitting(columns, console.width)
        console.print(_table(kept, console.width - _figures_width(kept)))
        return
    plain, room = console.width, max(column.width for column in columns)
    console.width = room * len(columns) + _figures_width(columns)
    console.print(_table(columns, room))
    console.width = plain


def _table(columns: Sequence[Column], room: int) -> Table:
    """Columns of their full width; only words are wrapped, to ``room`` characters."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for column in columns:
        if not column.is_text:
            table.add_column(column.heading, justify="right", no_wrap=True, width=column.width)
        else:
            # A word that is longer than that is broken rather than a figure cut.
            width = min(column.width, max(room, _NARROWEST))
            table.add_column(column.heading, width=width, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _least_width(columns: Sequence[Column]) -> int:
    words = sum(min(column.width, _WRAPPED) for column in columns if column.is_text)
    return words + _figures_width(columns)


def _figures_width(columns: Sequence[Column]) -> int:
    """Characters of all figures, and of the gaps."""
    figures = sum(column.width for column in columns if not column.is_text)
    return figures + _GAP * (len(columns) - 1)
