"""Text that comes from files and servers, made safe for where people read it.

A name may hold what steers a terminal, breaks a line, turns the direction of reading round, or is
taken for a formula by a program that opens tables. Standard library only.
"""

import re
from collections.abc import Sequence
from typing import Any

from sgq_auto.text.passwords import without_passwords

# What makes a spreadsheet take a cell for a formula. A full-width sign is one to some of them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def harmless(text: str) -> str:
    """A text for a page, whose layout may hold spaces of many kinds: what steers is an escape.

    That is control characters, marks that turn the direction of reading, and halves of pairs.
    """
    return _STEERING.sub(lambda found: _escape(found[0]), text)


def printable(text: object) -> str:
    """A text in printable characters alone, so in one line; others are written as escapes.

    Escape sequences, line breaks, marks that turn the direction of reading and characters that no
    encoding takes are not printable.
    """
    words = str(text)
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else _escape(c) for c in words)


def one_line(error: object) -> str:
    """An error's message in one printable line without passwords; its kind where it has none."""
    return printable(without_passwords(" ".join(str(error).split()))) or type(error).__name__


def csv_cell(value: Any) -> Any:
    """A cell of a CSV file that no program takes for a formula; numbers stay what they are.

    A text that begins like a formula gets an apostrophe in front, by which spreadsheets know text.
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_FORMULA):
        return value
    return value if _is_number(value) else f"'{value}"


def csv_row(values: Sequence[Any]) -> list[Any]:
    """A row of :func:`csv_cell`."""
    return [csv_cell(value) for value in values]


def _is_number(text: str) -> bool:
    """Whether a text is a plain number, like -5 or +1.5e-3, and nothing else."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and text.strip() == text and "_" not in text


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
