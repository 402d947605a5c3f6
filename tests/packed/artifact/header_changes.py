"""Random changes of any JSON that an artifact's header may be."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# What marks a key that is written twice, until the text is made.
_AGAIN = "\ue000"
_STRANGE = ("", "features", "exec", "\x1b[2J", "operation:0:0:scale", "a\nb", "\ud800", "x" * 300)
_HUGE = (2**31 - 1, 2**31, 2**63 - 1, 2**64, 10**30, 1e30, 3.4e38, 1e300)
_NOT_FINITE = (math.nan, math.inf, -math.inf)
_TINY = (1e-30, 1e-38, 1e-45, 1e-300)
_OTHER_TYPES = (None, True, False, "1", [], {}, [[]], [1, 2, 3])


@dataclass(frozen=True)
class Place:
    """Where a value is: a key of an object, or an index of a list."""

    holder: Any
    key: Any

    @property
    def value(self) -> Any:
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        self.holder[self.key] = value


def text_of(root: Any) -> str:
    """The JSON of a header; keys that are marked as doubled are written twice."""
    return json.dumps(root).replace(json.dumps(_AGAIN)[1:-1], "")


def change(root: dict[str, Any], random: np.random.Generator) -> None:
    """Change one thing in place, whatever it is."""
    kind = _CHANGES[int(random.integers(len(_CHANGES)))]
    kind(root, random)


def walk(root: Any, random: np.random.Generator, is_wanted: Callable[[Any], bool]) -> Place | None:
    """A random place whose value is wanted, deep ones as often as shallow ones."""
    for _ in range(20):
        place = _walked(root, random, is_wanted)
        if place is not None:
            return place
    return None


def one_of(random: np.random.Generator, choices: Any) -> Any:
    return choices[int(random.integers(len(choices)))]


def strings(root: Any) -> Iterator[str]:
    """All strings of a header, keys among them."""
    if isinstance(root, str):
        yield root
    elif isinstance(root, dict):
        for key, value in root.items():
            yield key
            yield from strings(value)
    elif isinstance(root, list):
        for value in root:
            yield from strings(value)


def _walked(
    root: Any, random: np.random.Generator, is_wanted: Callable[[Any], bool]
) -> Place | None:
    """Down from the root, any child at each level, to the last wanted value or an earlier one."""
    node, found = root, None
    while isinstance(node, (dict, list)) and node:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        place = Place(node, one_of(random, keys))
        node = place.value
        if is_wanted(node):
            found = place
            if random.random() < 0.3:
                break
    return found


def _number(root: dict[str, Any], random: np.random.Generator) -> None:
    place = walk(root, random, lambda v: isinstance(v, (int, float)) and not isinstance(v, bool))
    if place is None:
        return
    value = place.value
    kinds: list[Callable[[], Any]] = [
        lambda: value + one_of(random, (-1, 1, 1, 2, -2, 8)),
        lambda: value + one_of(random, (-1, 1)),
        lambda: value * one_of(random, (2, -1, 10, 1000)),
        lambda: int(random.integers(0, 40)),
        lambda: one_of(random, (0, -1, 1, -0.0)),
        lambda: one_of(random, _HUGE),
        lambda: -one_of(random, _HUGE),
        lambda: float(value),
        lambda: value + 0.5,
        lambda: one_of(random, _TINY),
        lambda: one_of(random, _NOT_FINITE),
    ]
    place.put(one_of(random, kinds)())


def _string(root: dict[str, Any], random: np.random.Generator) -> None:
    place = walk(root, random, lambda v: isinstance(v, str))
    if place is not None:
        known = list(strings(root))
        place.put(one_of(random, known if random.random() < 0.8 else _STRANGE))


def _flag(root: dict[str, Any], random: np.random.Generator) -> None:
    place = walk(root, random, lambda v: isinstance(v, bool))
    if place is not None:
        place.put(not place.value)


def _type(root: dict[str, Any], random: np.random.Generator) -> None:
    place = walk(root, random, lambda _: True)
    if place is not None:
        place.put(json.loads(json.dumps(one_of(random, _OTHER_TYPES))))


def _list(root: dict[str, Any], random: np.random.Generator) -> None:
    place = walk(root, random, lambda v: isinstance(v, list) and len(v) > 0)
    if place is None:
        return
    held = place.value
    first, second = (int(random.integers(len(held))) for _ in range(2))
    match int(random.integers(6)):
        case 0:
            del held[first]
        case 1:
            held.insert(first, copied(held[second]))
        case 2:
            held.reverse()
        case 3:
            held[first], held[second] = held[second], held[first]
        case 4:
            held[first] = copied(held[second])
        case 5:
            del held[first:]


def _object(root: dict[str, Any], random: np.random.Generator) -> None:
    place = walk({"root": root}, random, lambda v: isinstance(v, dict) and len(v) > 0)
    other = walk({"root": root}, random, lambda v: isinstance(v, dict) and len(v) > 0)
    if place is None or other is None:
        return
    held, key = place.value, one_of(random, list(place.value))
    match int(random.integers(4)):
        case 0:
            del held[key]
        case 1:
            held[key + _AGAIN] = copied(one_of(random, list(other.value.values())))
        case 2:
            if not _contains(held[key], other.value):
                other.value[key] = held.pop(key)
        case 3:
            another = one_of(random, list(held))
            held[key], held[another] = held[another], held[key]


def copied(value: Any) -> Any:
    """A copy of JSON."""
    return json.loads(json.dumps(value))


def _contains(value: Any, searched: Any) -> bool:
    if value is searched:
        return True
    children = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, list)) and any(_contains(v, searched) for v in children)


_CHANGES = (_number, _number, _number, _string, _flag, _type, _list, _list, _object)
