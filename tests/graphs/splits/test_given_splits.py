"""Splits and classes as other tools keep them, in PyG's Data and in NumPy archives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, InMemoryDataset

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, RawGraph, prepare_graph
from sgq_auto.graphs.sources import NpzSource, graph_of
from sgq_auto.graphs.splits import OwnOrPerClassSplit, PublicSplit
from sgq_auto.task import Task

_N = 12
_TRAIN, _VAL, _TEST = np.arange(6), np.arange(6, 9), np.arange(9, 12)
_Y = np.arange(_N) % 2


def mask(nodes: Any) -> np.ndarray[Any, Any]:
    return np.isin(np.arange(_N), nodes)


def fields(**changes: Any) -> dict[str, Any]:
    edges = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    return {"x": np.eye(_N, dtype=np.float32), "edge_index": edges, "y": _Y} | changes


def of_data(**changes: Any) -> RawGraph:
    def tensor(value: Any) -> Any:
        return torch.from_numpy(value) if isinstance(value, np.ndarray) else value

    plain = {
        key: {k: tensor(v) for k, v in value.items()} if isinstance(value, dict) else tensor(value)
        for key, value in fields(**changes).items()
    }
    return graph_of(Data(**plain), "g")


def of_npz(folder: Path, **changes: Any) -> RawGraph:
    np.savez(folder / "g.npz", **fields(**changes))
    return NpzSource(str(folder / "g.npz")).load()


def parts(raw: RawGraph, **settings: Any) -> list[list[int]]:
    split = OwnOrPerClassSplit(1, val_per_class=1, **settings).split(raw)
    return [split.train.tolist(), split.val.tolist(), split.test.tolist()]


_WHOLE = [_TRAIN.tolist(), _VAL.tolist(), _TEST.tolist()]


@pytest.mark.parametrize(
    "given",
    [
        {"train_mask": mask(_TRAIN), "val_mask": mask(_VAL), "test_mask": mask(_TEST)},
        {"train_mask": mask(_TRAIN), "valid_mask": mask(_VAL), "test_mask": mask(_TEST)},
        {"train_mask": mask(_TRAIN).astype(np.uint8), "val_mask": mask(_VAL), "test_idx": _TEST},
        {"train_mask": mask(_TRAIN)[:, None], "val_idx": _VAL, "test_mask": mask(_TEST)},
        {"train_idx": _TRAIN, "val_idx": _VAL, "test_idx": _TEST},
        {"train_idx": _TRAIN[::-1].copy(), "valid_idx": _VAL[:, None], "test_idx": _TEST},
        {"train_index": _TRAIN, "val_index": _VAL, "test_index": _TEST},
        {"idx_train": _TRAIN, "idx_val": _VAL, "idx_test": _TEST},
        {"train_idx": _TRAIN, "train_mask": mask(_TRAIN), "val_idx": _VAL, "test_idx": _TEST},
        {"train_mask": mask(_TRAIN), "val_idx": _VAL},
    ],
)
def test_masks_and_numbers_are_a_split(given: dict[str, Any], tmp_path: Path) -> None:
    for raw in (of_data(**given), of_npz(tmp_path, **given)):
        raw.check()
        assert parts(raw) == _WHOLE
        assert not any("not used" in note for note in raw.notes)


@pytest.mark.parametrize("name", ["split_idx", "splits"])
def test_dictionaries_are_a_split(name: str) -> None:
    one = {"train": _TRAIN, "valid": _VAL, "test": _TEST}
    assert parts(of_data(**{name: one})) == _WHOLE
    other = {"train": _TEST, "valid": _VAL, "test": _TRAIN}
    raw = of_data(**{name: [one, other]})
    assert parts(raw, column=1) == [_WHOLE[2], _WHOLE[1], _WHOLE[0]]


class _Ogb(InMemoryDataset):
    """As OGB's: y [N, 1], the split apart."""

    def __init__(self) -> None:
        super().__init__()
        data = Data(**{k: torch.from_numpy(v) for k, v in fields(y=_Y[:, None]).items()})
        self._data, self.slices = self.collate([data])

    def get_idx_split(self) -> dict[str, torch.Tensor]:
        named = zip(("train", "valid", "test"), (_TRAIN, _VAL, _TEST), strict=True)
        return {key: torch.from_numpy(nodes) for key, nodes in named}


def test_the_split_of_an_ogb_dataset() -> None:
    raw = graph_of(_Ogb(), "ogb")
    assert parts(raw) == _WHOLE
    assert raw.split is not None
    assert "split_idx['valid']" in raw.split.origin


def _several(shape: str) -> dict[str, Any]:
    """Masks of two splits: the second has training and test nodes the other way round."""
    columns = {"train": (_TRAIN, _TEST), "val": (_VAL, _VAL), "test": (_TEST, _TRAIN)}
    masks = {key: np.stack([mask(a), mask(b)]) for key, (a, b) in columns.items()}
    if shape == "[k, N]":
        return {f"{key}_masks": value for key, value in masks.items()}
    return {f"{key}_mask": value.T.copy() for key, value in masks.items()}


@pytest.mark.parametrize("shape", ["[N, k]", "[k, N]"])
def test_one_of_several_splits_is_chosen(shape: str, tmp_path: Path) -> None:
    for raw in (of_data(**_several(shape)), of_npz(tmp_path, **_several(shape))):
        assert parts(raw, column=0) == _WHOLE
        assert parts(raw, column=1) == [_WHOLE[2], _WHOLE[1], _WHOLE[0]]
        with pytest.raises(InputError, match=r"several splits [^\n]*dataset\.split\.column=0"):
            parts(raw)
        with pytest.raises(InputError, match=r"^g: dataset\.split\.column=2: [^\n]*\(to 1\)"):
            parts(raw, column=2)


def test_several_training_masks_may_share_a_test_mask() -> None:
    given = _several("[N, k]") | {"test_mask": mask([11]), "train_mask": mask(_TRAIN)}
    raw = of_data(**given)
    assert parts(raw, column=1) == [_WHOLE[0], _WHOLE[1], [11]]


def test_a_column_of_no_split_is_refused() -> None:
    with pytest.raises(InputError, match=r"column=0 [^\n]*it has none"):
        parts(of_data(), column=0)
    raw = of_data(train_idx=_TRAIN, val_idx=_VAL, test_idx=_TEST)
    assert parts(raw, column=0) == _WHOLE


def test_validation_nodes_are_drawn_from_training_and_that_is_said() -> None:
    raw = of_data(train_mask=mask(range(8)), test_mask=mask(range(8, 12)))
    train, val, test = parts(raw)
    assert sorted(train + val) == list(range(8))
    assert test == [8, 9, 10, 11]
    assert np.bincount(_Y[val]).tolist() == [1, 1]
    assert parts(raw) == [train, val, test]
    assert any(parts(raw, seed=seed)[1] != val for seed in range(1, 5))
    split = OwnOrPerClassSplit(1, val_per_class=1).split(raw)
    notes = prepare_graph(raw, split, BucketSettings(), normalize_rows=False).notes
    assert any("2 of the 8 training nodes, a quarter of each class" in note for note in notes)
    with pytest.raises(InputError, match="val split is empty"):
        prepare_graph(raw, PublicSplit().split(raw), BucketSettings(), normalize_rows=False)


def test_with_training_nodes_alone_the_rest_validates_and_is_tested() -> None:
    raw = of_data(train_mask=mask([0, 1]), y=np.where(np.arange(_N) == 11, -1, _Y))
    split = OwnOrPerClassSplit(1, val_per_class=2).split(raw)
    assert split.train.tolist() == [0, 1]
    assert np.bincount(raw.y[split.val]).tolist() == [2, 2]
    assert sorted([*split.val, *split.test]) == list(range(2, 11))
    assert "drawn from the others" in split.origin


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"test_mask": mask(_TEST)}, "no training nodes"),
        ({"train_mask": mask(range(12))}, "no test nodes"),
        ({"train_mask": mask(range(9)), "val_mask": mask(_TEST)}, "no test nodes"),
        ({"train_mask": mask([0, 1]), "test_mask": mask(_TEST)}, "no validation nodes"),
        ({"train_idx": _TRAIN, "train_mask": mask(_VAL)}, "train_mask and train_idx name differ"),
        ({"train_idx": _TRAIN + 9}, "train_idx holds nodes 9 to 14"),
        ({"train_idx": _TRAIN / 2}, "train_idx is float64 (6,)"),
        ({"train_mask": mask(_TRAIN)[:5]}, "train_mask is bool (5,); it must be bool (12,)"),
        ({"train_mask": np.zeros((_N, 2), bool), "val_mask": np.zeros((_N, 3), bool)}, "2 splits"),
    ],
)
def test_splits_that_do_not_fit_are_one_line(
    given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    for make in (of_data, lambda **k: of_npz(tmp_path, **k)):
        with pytest.raises(InputError) as caught:
            parts(make(**given), column=0)
        assert words in str(caught.value), caught.value
        assert "\n" not in str(caught.value)


_FOURTH = np.arange(_N) == 3


@pytest.mark.parametrize(
    ("y", "found", "names", "words"),
    [
        (_Y[:, None], _Y, None, None),
        (_Y[None], _Y, None, None),
        (_Y.astype(bool), _Y, None, None),
        (_Y.astype(np.float64), _Y, None, "float64 of whole numbers"),
        (np.where(_FOURTH, np.nan, _Y), np.where(_FOURTH, -1, _Y), None, "NaN"),
        (_Y + 1, _Y, ("1", "2"), "2 classes from 1 to 2"),
        (np.where(_FOURTH, -1, 3 * _Y), np.where(_FOURTH, -1, _Y), ("0", "3"), "0 to 3"),
    ],
)
def test_classes_as_others_write_them(
    y: Any, found: Any, names: Any, words: str | None, tmp_path: Path
) -> None:
    for raw in (of_data(y=y), of_npz(tmp_path, y=y)):
        raw.check()
        assert raw.y.tolist() == found.tolist()
        assert raw.class_names == names
        assert any(words in note for note in raw.notes) if words else not raw.notes


def test_names_of_classes_that_count_from_1_stay() -> None:
    assert of_data(y=_Y + 1, class_names=["a", "b"]).class_names == ("a", "b")
    # Names for every number, 0 among them, are as they were.
    raw = of_data(y=_Y + 1, class_names=["a", "b", "c"])
    assert (raw.y.min(), raw.class_names) == (1, ("a", "b", "c"))


def test_one_class_in_each_row_is_told_how_to_write_it() -> None:
    raw = of_data(y=np.eye(_N, dtype=np.int64))
    with pytest.raises(InputError, match=r"task=node_classification [^\n]*argmax\(1\)[^\n]*$"):
        raw.for_task()
    assert raw.for_task(Task.NODE_CLASSIFICATION).y.tolist() == list(range(_N))


def test_what_is_given_for_edges_and_nodes_is_named(tmp_path: Path) -> None:
    more = {
        "weight": np.ones(4),
        "edge_type": np.ones(4),
        "time": np.ones(4),
        "pos": np.ones((_N, 2)),
    }
    for raw in (of_data(**more), of_npz(tmp_path, **more)):
        (edges,) = (note for note in raw.notes if "for each edge" in note)
        assert all(f"'{name}'" in edges for name in ("weight", "edge_type", "time"))
        assert "edge_weight here and their features edge_attr" in edges
        (nodes,) = (note for note in raw.notes if "for each node" in note)
        assert nodes.endswith("'pos'")
    (lists,) = of_data(club=["a"] * _N).notes
    assert lists.endswith("'club'")
