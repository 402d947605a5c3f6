"""Typed entries of an artifact's header; what is wrong with one is said in one line.

Functions take an object of the header and the key of an entry, and raise ``ArtifactError`` where
the entry is missing or of another type.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import is_bit_width

# No count in a header may be larger: products of two stay below 2**63.
LARGEST_COUNT = 2**31 - 1
MAX_BUCKETS = 256
_LARGEST_NUMBER = 3.4e38
_LEAST_POSITIVE = 1e-30

_T = TypeVar("_T")


def object_of(node: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A JSON object.

    Like every reader here, raises :class:`ArtifactError` that says what the field must be.
    """
    value: dict[str, Any] = _typed(node, key, lambda v: isinstance(v, dict), "an object")
    return value


def list_of(node: Mapping[str, Any], key: str, longest: int) -> list[Any]:
    """A list of anything, ``longest`` entries at most."""
    value: list[Any] = _typed(
        node, key, lambda v: isinstance(v, list) and len(v) <= longest, "a list"
    )
    return value


def flag(node: Mapping[str, Any], key: str) -> bool:
    """True or false; 0 and 1 are refused, as no writer of ours makes them."""
    value: bool = _typed(node, key, lambda v: isinstance(v, bool), "true or false")
    return value


def count(node: Mapping[str, Any], key: str, least: int = 0) -> int:
    """An integer from ``least`` on."""
    value: int = _typed(node, key, lambda v: _is_count(v, least), f"an integer from {least} on")
    return value


def counts(node: Mapping[str, Any], key: str, length: int | None = None) -> tuple[int, ...]:
    """Integers from 0 on, exactly ``length`` of them where it is given."""
    return _several(node, key, length, lambda v: _is_count(v, 0), "integers from 0 on")


def flags(node: Mapping[str, Any], key: str, length: int) -> tuple[bool, ...]:
    """Exactly ``length`` times true or false, one for each degree bucket."""
    return _several(node, key, length, lambda v: isinstance(v, bool), "true or false")


def bit_widths(node: Mapping[str, Any], key: str, length: int) -> tuple[int, ...]:
    """Exactly ``length`` bit-widths, one for each degree bucket."""
    return _several(node, key, length, is_bit_width, "bit-widths")


def bit_width(value: Any, key: str) -> int:
    """A bit-width that a code can have, or full precision.

    Args:
        value: What was read.
        key: Where, for the message.
    """
    if not is_bit_width(value):
        raise ArtifactError(f"{key} is {value!r}; it must be a bit-width")
    return int(value)


def number(node: Mapping[str, Any], key: str) -> float:
    """A finite number that fp32 has."""
    value: Any = _typed(node, key, _is_number, "a finite number")
    return float(value)


def positive(node: Mapping[str, Any], key: str) -> float:
    """A number above 0, and not so small that what is divided by it has no end."""
    value: Any = _typed(
        node, key, lambda v: _is_number(v) and v >= _LEAST_POSITIVE, "a number above 0"
    )
    return float(value)


def text(node: Mapping[str, Any], key: str) -> str:
    """Text that is not empty."""
    value: str = _typed(node, key, lambda v: isinstance(v, str) and bool(v), "text")
    return value


def choice(kind: type[_T], node: Mapping[str, Any], key: str) -> _T:
    """A member of an enum; a value of a later version is refused by name."""
    try:
        return kind(node.get(key))  # type: ignore[call-arg]
    except ValueError as error:
        raise ArtifactError(
            f"{key} is {node.get(key)!r}, which this runtime does not know"
        ) from error


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= LARGEST_COUNT


def _is_number(value: Any) -> bool:
    # Comparisons are false for NaN, and exact for integers of any size.
    return type(value) in (int, float) and -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER


def _several(
    node: Mapping[str, Any], key: str, length: int | None, is_fine: Callable[[Any], bool], what: str
) -> tuple[Any, ...]:
    values: Any = node.get(key)
    fits = isinstance(values, list) and len(values) <= (length or MAX_BUCKETS)
    if not fits or (length not in (None, len(values))) or not all(map(is_fine, values)):
        how_many = "" if length is None else f"{length} "
        raise ArtifactError(f"{key} must be a list of {how_many}{what}")
    return tuple(values)


def _typed(node: Mapping[str, Any], key: str, is_fine: Callable[[Any], bool], what: str) -> Any:
    value = node.get(key)
    if not is_fine(value):
        raise ArtifactError(f"{key} is {str(value)[:60]!r}; it must be {what}")
    return value
