"""Splits of which the data gives only some parts: the others are drawn, and that is said."""

from dataclasses import replace

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import IntArray, RawGraph, Split

# Of each class, the share of training nodes that validate where no others are given.
_SHARE_OF_TRAINING = 4
# Of each class, the share of the nodes in no part that validate where only training is given.
_SHARE_OF_REST = 2


def completed_split(raw: RawGraph, split: Split, seed: int, most_per_class: int | None) -> Split:
    """A split with nodes in every part.

    - Without validation nodes, a quarter of the training nodes of each class validate.
    - With neither validation nor test nodes, half of the labelled rest of each class validates.
    - Without test nodes, the labelled nodes that are in no part are tested.

    Args:
        raw: The graph.
        split: What the data gives.
        seed: Seed of the draw.
        most_per_class: Validation nodes of a class at most, where they are taken from the rest.

    Raises:
        InputError: If nothing is left to draw from.
    """
    if not split.train.size:
        raise InputError(
            f"{raw.name}: the split has no training nodes ({split.origin}); give them, or none of "
            "its parts, and one is drawn"
        )
    if split.val.size and split.test.size:
        return split
    rest = _rest(raw, split)
    if not split.val.size and split.test.size:
        return _validate_on_training(raw, split, seed)
    if not rest.size:
        raise InputError(
            f"{raw.name}: the split has no test nodes ({split.origin}), and every labelled node is "
            "in another part; leave some out, or give no split, and one is drawn"
        )
    if not split.val.size:
        val = _drawn(raw, rest, seed, _SHARE_OF_REST, most_per_class)
        said = f"{val.size:,} validation nodes are drawn from the others with a label (seed {seed})"
        split = replace(split, val=val, origin=f"{split.origin}; {said}")
        rest = _rest(raw, split)
    said = f"the {rest.size:,} labelled nodes in no part are test nodes"
    return replace(split, test=rest, origin=f"{split.origin}; {said}")


def _validate_on_training(raw: RawGraph, split: Split, seed: int) -> Split:
    val = _drawn(raw, split.train, seed, _SHARE_OF_TRAINING, None)
    if not val.size:
        raise InputError(
            f"{raw.name}: the split has no validation nodes ({split.origin}), and no class has "
            "two training nodes, one of which could be drawn; give validation nodes"
        )
    share = "a quarter of each class" if raw.has_classes else "a quarter of them"
    said = (
        f"without validation nodes, so {val.size:,} of the {split.train.size:,} training nodes, "
        f"{share}, are drawn for it (dataset.split.seed={seed})"
    )
    train = np.setdiff1d(split.train, val)
    return replace(split, train=train, val=val, origin=f"{split.origin}; {said}")


def drawn_split(raw: RawGraph, seed: int) -> Split:
    """A split of nodes that have no classes: 60 % train, 20 % validate, 20 % are tested."""
    known = np.flatnonzero(raw.labelled)
    order = np.random.default_rng(seed).permutation(known)
    part = known.size // 5
    parts = [np.sort(each).astype(np.int64) for each in np.split(order, (part, 2 * part))]
    origin = f"drawn: 60 % training, 20 % validation and 20 % test nodes (seed {seed})"
    return Split(parts[2], parts[0], parts[1], origin)


def _rest(raw: RawGraph, split: Split) -> IntArray:
    """Labelled nodes in no part."""
    taken = np.concatenate([split.train, split.val, split.test])
    return np.setdiff1d(np.flatnonzero(raw.labelled), taken).astype(np.int64)


def _drawn(
    raw: RawGraph, nodes: IntArray, seed: int, share: int, most_per_class: int | None
) -> IntArray:
    """One of ``share`` nodes of each class, at least one where there are two.

    Of several labels and of numbers there are no classes to draw from: one of ``share`` of all.
    """
    order = np.random.default_rng(seed).permutation(nodes)
    if not raw.has_classes:
        return np.sort(order[: max(nodes.size // share, min(1, nodes.size // 2))])
    parts = []
    for number in range(raw.num_classes):
        found = order[raw.y[order] == number]
        count = max(found.size // share, min(1, found.size // 2))
        parts.append(found[: count if most_per_class is None else min(count, most_per_class)])
    return np.sort(np.concatenate(parts)).astype(np.int64)
