"""Values as text of C: arrays, numbers, and names that come from a file."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array

_LINE = 96
_PLAIN = re.compile(r"[A-Za-z0-9_.,:;()/ +=-]")


def words_text(words: Sequence[int]) -> str:
    """32-bit words, as the lines of an initializer."""
    return _lines(f"{word}U" for word in words)


def bytes_text(values: Array) -> str:
    """Bytes, as the lines of an initializer."""
    return _lines(map(str, values.tolist()))


def numbers_text(numbers: Sequence[float]) -> str:
    """fp32 numbers, exactly, as the lines of an initializer."""
    return _lines(f"{float(np.float32(number)).hex()}F" for number in numbers)


def string_text(text: str) -> str:
    """A string literal that holds a text as UTF-8, whatever is in it."""
    octets = text.encode("utf-8", "replace")
    # Three octal digits end an escape; letters after hexadecimal ones would not.
    parts = (chr(o) if _PLAIN.fullmatch(chr(o)) else f"\\{o:03o}" for o in octets)
    return '"' + "".join(parts) + '"'


def comment_text(text: str) -> str:
    """A name for a comment: other characters than letters, digits and a few signs become ``_``."""
    return "".join(c if re.fullmatch(r"[A-Za-z0-9_. -]", c) else "_" for c in text)[:80]


def _lines(items: Iterable[str]) -> str:
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > _LINE:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{item},"
    return "\n".join([*lines, line]) if line else "\n".join(lines)
