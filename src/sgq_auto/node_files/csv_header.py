"""Whether the first line of a CSV file names the columns, or is data."""

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_COUNT = re.compile(r"\d+")


def is_number(text: str) -> bool:
    """Whether a field is a finite number as CSV files have it: no ``nan``, no thousands."""
    return _NUMBER.fullmatch(text) is not None


def is_data(
    first: Sequence[str], rows: Sequence[Sequence[str]], *, spaces: bool
) -> tuple[bool, bool]:
    """Whether the first line is data.

    A line of numbers is data. The exception are 0, 1, 2 (or 1, 2, 3), which pandas and R write as
    names of columns without one: they may be data too, like the first edge of a sorted list.

    Args:
        first: Fields of the first line.
        rows: Fields of the next ones.
        spaces: Whether spaces are between the columns, which no tool writes after such names.

    Returns:
        Whether it is data, and whether it may be the other as well.
    """
    numbers = [field for field in first if is_number(field)]
    if not numbers:
        return False, False
    counting = _counts(numbers)
    if len(numbers) == len(first):
        if not counting:
            return True, False
        return spaces or _begins_a_sorted_list(first, rows), True
    if counting:
        return False, False
    # Names and numbers: years among names, or the first node of a table.
    over_numbers = any(
        not is_number(field) and field and rows and all(map(is_number, column))
        for field, *column in zip(first, *rows, strict=False)
    )
    like_values = len(set(numbers)) < len(numbers) or not all(map(_COUNT.fullmatch, numbers))
    return like_values and not over_numbers, False


def header_in_comment(names: Sequence[str], width: int) -> bool:
    """Whether the fields of a comment are names of as many columns."""
    named = all(name and not is_number(name) for name in names)
    return width > 1 and len(names) == width == len(set(names)) and named


def _counts(numbers: Sequence[str]) -> bool:
    start = numbers[0]
    return start in ("0", "1") and list(numbers) == [
        str(k) for k in range(int(start), int(start) + len(numbers))
    ]


def _begins_a_sorted_list(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether two numbers go on as a sorted list of pairs does, and do not come again."""
    pairs = [tuple(row) for row in (first, *rows)]
    if len(first) != 2 or len(pairs) < 2 or not all(map(is_number, sum(pairs, ()))):
        return False
    values = [float(pair[0]) for pair in pairs]
    return values == sorted(values) and pairs.count(pairs[0]) == 1
