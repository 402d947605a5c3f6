"""Seeded splits, public splits and their refusals."""

from dataclasses import replace

import numpy as np
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph, Split
from sgq_auto.graphs.raw_graph import UNLABELLED
from sgq_auto.graphs.splits import OwnOrPerClassSplit, PerClassSplit, PublicSplit
from sgq_auto.graphs.splits.split_checks import check_split


def test_masks_become_node_numbers() -> None:
    masks = np.eye(3, dtype=bool)
    split = Split.from_masks(*masks)
    assert [split.train.tolist(), split.val.tolist(), split.test.tolist()] == [[0], [1], [2]]
    assert split.train.dtype == np.int64


def test_per_class_split_has_the_sizes_asked_for(cora_raw: RawGraph) -> None:
    split = PerClassSplit(20, num_val=500, num_test=1000).split(cora_raw)
    assert np.bincount(cora_raw.y[split.train]).tolist() == [20] * 7
    assert (split.val.size, split.test.size) == (500, 1000)
    check_split(cora_raw, split)


def test_validation_per_class_and_the_rest_as_test(cora_raw: RawGraph) -> None:
    split = PerClassSplit(20, val_per_class=30).split(cora_raw)
    assert np.bincount(cora_raw.y[split.val]).tolist() == [30] * 7
    assert split.test.size == 2708 - 7 * 50
    check_split(cora_raw, split)


def test_the_seed_decides_the_split(cora_raw: RawGraph) -> None:
    first, again, other = (
        PerClassSplit(20, num_val=500, seed=seed).split(cora_raw) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.train, other.train)


def test_own_split_comes_first(mixed_raw: RawGraph) -> None:
    splitter = OwnOrPerClassSplit(1, num_val=3)
    assert PublicSplit().split(mixed_raw) is mixed_raw.split
    assert splitter.split(mixed_raw) is mixed_raw.split
    drawn = splitter.split(replace(mixed_raw, split=None))
    assert (drawn.train.size, drawn.val.size, drawn.test.size) == (3, 3, 6)


def test_a_drawn_split_that_leaves_no_test_node_names_what_takes_them(cora_raw: RawGraph) -> None:
    first = np.concatenate([np.flatnonzero(cora_raw.y == c)[:50] for c in range(7)])
    y = np.full_like(cora_raw.y, UNLABELLED)
    y[first] = cora_raw.y[first]
    with pytest.raises(InputError, match=r"no test node: .*val_per_class=30 take all 350 labelled"):
        PerClassSplit(20, val_per_class=30).split(replace(cora_raw, y=y))
    with pytest.raises(InputError, match=r"no test node: .*num_val=330 take all 350 labelled"):
        PerClassSplit(20, num_val=330).split(replace(cora_raw, y=y))


def test_public_split_is_refused_where_there_is_none(cora_raw: RawGraph) -> None:
    with pytest.raises(InputError, match=r"^embedded_cora: [^\n]*train_mask[^\n]*$"):
        PublicSplit().split(cora_raw)


def test_one_way_to_size_the_validation_nodes() -> None:
    for sizes in ({}, {"val_per_class": 3, "num_val": 9}):
        with pytest.raises(InputError, match=r"^[^\n]*val_per_class and num_val$"):
            PerClassSplit(20, **sizes)


@pytest.mark.parametrize("sizes", [{"num_val": 0}, {"num_val": 5, "num_test": 0}])
def test_sizes_below_one_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"^dataset\.split: [^\n]*at least 1$"):
        PerClassSplit(20, **sizes)
    with pytest.raises(InputError, match="at least 1"):
        PerClassSplit(0, num_val=5)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_empty_parts_are_refused(mixed_raw: RawGraph, part: str) -> None:
    split = replace(mixed_raw.split, **{part: np.array([], dtype=np.int64)})
    with pytest.raises(InputError, match=rf"^everything: the {part} split is empty[^\n]*$"):
        check_split(mixed_raw, split)


def test_overlap_is_refused(mixed_raw: RawGraph) -> None:
    nodes = np.arange(12)
    with pytest.raises(InputError, match=r"^everything: [^\n]*disjoint$"):
        check_split(mixed_raw, Split(nodes[:6], nodes[5:9], nodes[9:]))


def test_a_class_without_training_node_is_refused(mixed_raw: RawGraph) -> None:
    nodes = np.arange(12)
    with pytest.raises(InputError, match=r"^everything: class 2 has no training node[^\n]*$"):
        check_split(mixed_raw, Split(nodes[:2], nodes[2:9], nodes[9:]))


def test_classes_far_beyond_the_nodes_are_refused(mixed_raw: RawGraph) -> None:
    y = mixed_raw.y.copy()
    y[0] = 10**15
    with pytest.raises(InputError, match=r"^everything: [^\n]*$"):
        replace(mixed_raw, y=y).check()


def test_an_empty_test_split_is_refused(mixed_raw: RawGraph) -> None:
    split = PublicSplit().split(mixed_raw)
    with pytest.raises(InputError, match="the test split is empty"):
        check_split(mixed_raw, replace(split, test=split.test[:0]))
