"""The split of a graph among named arrays: masks, node numbers, or a dictionary of these.

Read are, for ``train``, ``val`` (also ``valid``, ``validation``) and ``test``:

- masks: ``train_mask``, ``train_masks``: booleans ``[N]``; ``[N, k]`` or ``[k, N]`` for k splits;
- node numbers: ``train_idx``, ``train_index``, ``train_indices``, ``train_nodes``, ``idx_train``;
- a dictionary of either, like OGB's ``get_idx_split()``, or a list of these for several splits:
  ``split_idx``, ``idx_split``, ``split``, ``splits``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import IntArray, Split

_PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_MASKS = ("{}_mask", "{}_masks", "mask_{}")
_INDICES = ("{}_idx", "{}_index", "{}_indices", "{}_nodes", "idx_{}", "index_{}")
_DICTIONARIES = ("split_idx", "idx_split", "split", "splits")
_PLURAL = "_masks"


@dataclass(frozen=True, eq=False)
class GivenSplits:
    """The splits that a graph brings.

    Attributes:
        splits: One, or several to choose from; a part that is not given is empty.
        used: Names of the arrays that they were read from.
    """

    splits: tuple[Split, ...] = ()
    used: frozenset[str] = frozenset()

    @property
    def single(self) -> Split | None:
        """The split, where it is the only one and nobody has to choose."""
        return self.splits[0] if len(self.splits) == 1 else None

    @property
    def choices(self) -> tuple[Split, ...]:
        """The splits, where there are several, of which ``split.column`` chooses one."""
        return self.splits if len(self.splits) > 1 else ()


@dataclass(frozen=True, eq=False)
class _Given:
    """One part of the split as one array gives it, once for each split."""

    part: str
    key: str
    columns: tuple[IntArray, ...]


def is_split_name(key: str) -> bool:
    """Whether an array of this name may be a part of a split."""
    return key in _DICTIONARIES or any(key in _spelled(part, _MASKS + _INDICES) for part in _PARTS)


def is_mask_name(key: str) -> bool:
    """Whether an array of this name may be the mask of a part."""
    return any(key in _spelled(part, _MASKS) for part in _PARTS)


def splits_of(fields: Mapping[str, Any], num_nodes: int, name: str) -> GivenSplits:
    """The splits that are among the fields of a graph.

    Args:
        fields: Arrays by name, and dictionaries of arrays.
        num_nodes: Nodes of the graph.
        name: What messages call the graph.

    Raises:
        InputError: If an array is of another shape or kind, or two say different things.
    """
    given = list(_parts_of(fields, num_nodes, name, "", dictionaries=True))
    if not given:
        return GivenSplits()
    parts = {part: _agreed([g for g in given if g.part == part], name) for part in _PARTS}
    count = max(len(columns) for columns in parts.values())
    keys = list(dict.fromkeys(g.key for g in given))
    for each in given:
        if len(each.columns) not in (1, count):
            raise InputError(
                f"{name}: {each.key} has {len(each.columns)} splits, another part has {count}"
            )
    empty = np.empty(0, np.int64)
    origin = f"the data's own ({', '.join(keys)})"
    splits = []
    for k in range(count):
        nodes = [(c[k if len(c) > 1 else 0] if c else empty) for c in parts.values()]
        splits.append(Split(nodes[0], nodes[1], nodes[2], origin))
    return GivenSplits(tuple(splits), frozenset(key.partition("[")[0] for key in keys))


def _spelled(part: str, patterns: tuple[str, ...]) -> list[str]:
    return [pattern.format(spelling) for spelling in _PARTS[part] for pattern in patterns]


def _parts_of(
    fields: Mapping[str, Any], num_nodes: int, name: str, inside: str, *, dictionaries: bool
) -> Iterator[_Given]:
    """The parts that arrays of known names give; ``inside`` is the dictionary that they are in."""
    for part in _PARTS:
        plain = tuple(_PARTS[part]) if inside else ()
        for key in (*_spelled(part, _MASKS), *_spelled(part, _INDICES), *plain):
            if fields.get(key) is None:
                continue
            called = f"{inside}[{key!r}]" if inside else key
            mask = "mask" in key
            array = np.asarray(fields[key])
            yield _Given(part, called, _columns(array, called, num_nodes, name, mask=mask))
    if not dictionaries:
        return
    for key in _DICTIONARIES:
        value = fields.get(key)
        if isinstance(value, Mapping):
            yield from _parts_of(value, num_nodes, name, key, dictionaries=False)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            yield from _several(value, num_nodes, name, key)


def _several(
    value: list[Mapping[str, Any]] | tuple[Mapping[str, Any], ...],
    num_nodes: int,
    name: str,
    key: str,
) -> Iterator[_Given]:
    """A list of dictionaries, one a split."""
    found = [list(_parts_of(each, num_nodes, name, key, dictionaries=False)) for each in value]
    kinds = {tuple(g.key for g in one) for one in found}
    if len(kinds) > 1:
        raise InputError(f"{name}: the splits in {key} do not have the same parts")
    for same in zip(*found, strict=True):
        yield _Given(same[0].part, same[0].key, tuple(c for g in same for c in g.columns))


def _columns(
    array: np.ndarray[Any, Any], key: str, num_nodes: int, name: str, *, mask: bool
) -> tuple[IntArray, ...]:
    """Node numbers of one array, once for each split that it has."""
    if mask or array.dtype == np.bool_:
        return _of_masks(array, key, num_nodes, name)
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{name}: {key} is {array.dtype} {array.shape}; it must be the numbers of nodes, "
            "integers in one dimension"
        )
    if array.size and not (array.min() >= 0 and array.max() < num_nodes):
        raise InputError(
            f"{name}: {key} holds nodes {array.min()} to {array.max()}; the {num_nodes} nodes are "
            f"0 to {num_nodes - 1}"
        )
    return (np.unique(array).astype(np.int64),)


def _of_masks(
    array: np.ndarray[Any, Any], key: str, num_nodes: int, name: str
) -> tuple[IntArray, ...]:
    if array.dtype.kind in "iu" and array.size and ((array == 0) | (array == 1)).all():
        array = array.astype(np.bool_)
    if array.dtype != np.bool_ or num_nodes not in array.shape or array.ndim > 2:
        raise InputError(
            f"{name}: {key} is {array.dtype} {array.shape}; it must be bool ({num_nodes},), or "
            f"({num_nodes}, k) for k splits"
        )
    if array.ndim == 1:
        return (np.flatnonzero(array).astype(np.int64),)
    # [k, N] is how the files of heterophilous-graphs have them.
    if array.shape[0] != num_nodes or (array.shape[1] == num_nodes and key.endswith(_PLURAL)):
        array = array.T
    return tuple(np.flatnonzero(column).astype(np.int64) for column in array.T)


def _agreed(given: list[_Given], name: str) -> tuple[IntArray, ...]:
    """The node numbers of one part, which all arrays of it must agree on."""
    for other in given[1:]:
        first = given[0]
        if len(first.columns) != len(other.columns) or not all(
            map(np.array_equal, first.columns, other.columns)
        ):
            raise InputError(
                f"{name}: {first.key} and {other.key} name different nodes; remove one of them"
            )
    return given[0].columns if given else ()
