"""Which task labels are of: told where it is plain, asked for where it is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.labels.label_kinds import Numbers
from sgq_auto.graphs.splits import OwnOrPerClassSplit
from sgq_auto.task import Metric, Task

_N = 10
_X = np.random.default_rng(0).random((_N, 3), dtype=np.float32)
_EDGES = np.stack([np.arange(_N), (np.arange(_N) + 1) % _N])
_LABELS = np.random.default_rng(1).integers(0, 2, (_N, 3)).astype(np.float32)
_LABELS[0], _LABELS[1] = 1, 0
_VALUES = np.random.default_rng(2).normal(5, 3, (_N, 2)).astype(np.float32)
_SPLIT = Split(np.arange(5), np.arange(5, 7), np.arange(7, 10))
_NAN = np.full((1, 3), np.nan, np.float32)


def _raw(y: Any, **more: Any) -> RawGraph:
    return RawGraph("mine", _X, _EDGES, np.asarray(y), **more)


def _prepared(raw: RawGraph, split: Split = _SPLIT) -> PreparedData:
    return prepare_graph(raw, split, BucketSettings(), normalize_rows=False)


@pytest.mark.parametrize(
    ("y", "task", "metric", "width"),
    [
        (np.arange(_N) % 3, Task.NODE_CLASSIFICATION, Metric.ACCURACY, 3),
        (_LABELS, Task.NODE_MULTILABEL, Metric.AVERAGE_PRECISION, 3),
        (_LABELS.astype(np.int64), Task.NODE_MULTILABEL, Metric.AVERAGE_PRECISION, 3),
        (_LABELS.astype(bool), Task.NODE_MULTILABEL, Metric.AVERAGE_PRECISION, 3),
        (_VALUES, Task.NODE_REGRESSION, Metric.R2, 2),
        (_VALUES[:, 0].astype(np.float64), Task.NODE_REGRESSION, Metric.R2, 1),
        # Whole numbers are classes, however they are stored.
        ((np.arange(_N) % 3).astype(np.float32), Task.NODE_CLASSIFICATION, Metric.ACCURACY, 3),
    ],
)
def test_what_is_plain_is_told_from_the_labels(
    y: Any, task: Task, metric: Metric, width: int
) -> None:
    graph = _prepared(_raw(y)).graph
    assert (graph.task, graph.metric, graph.num_classes) == (task, metric, width)


def test_a_task_and_a_metric_are_said_in_the_first_lines_unless_they_are_the_usual_ones() -> None:
    said = "\n".join(_prepared(_raw(_LABELS, class_names=("a", "b", "c"))).notes)
    assert "task=node_multilabel, judged by metric=average_precision" in said
    assert "labels 'a' (" in said
    assert "10 nodes, 10 directed edges, 3 features, 3 labels" in said
    said = "\n".join(_prepared(_raw(_VALUES).for_task(metric=Metric.NEG_MAE)).notes)
    assert "task=node_regression, judged by metric=neg_mae (others: r2)" in said
    assert "numbers to predict 0 (" in said
    assert "task=" not in "\n".join(_prepared(_raw(np.arange(_N) % 3)).notes)


def test_labels_may_be_asked_for_as_another_task() -> None:
    one_hot = np.eye(_N, dtype=np.float32)[:, :3]
    one_hot[3:, 0] = 1
    raw = _raw(one_hot).for_task(Task.NODE_CLASSIFICATION)
    assert raw.y.tolist() == [0, 1, 2, *[0] * 7]
    assert _raw(one_hot).for_task(Task.NODE_MULTILABEL).y.shape == (_N, 3)
    counts = _raw(np.arange(_N)).for_task(Task.NODE_REGRESSION)
    assert counts.y.tolist() == [[float(k)] for k in range(_N)]
    # A number -1 stays one where the source says what its labels are as numbers.
    numbers = Numbers(np.arange(-1, _N - 1, dtype=np.float32)[:, None], ("count",))
    counts = _raw(np.arange(-1, _N - 1), numbers=numbers).for_task(Task.NODE_REGRESSION)
    assert (counts.y[0, 0], counts.class_names) == (-1.0, ("count",))
    binary = _raw([0, 1, -1, *[1] * 7]).for_task(Task.NODE_MULTILABEL)
    assert binary.labelled.tolist() == [True, True, False, *[True] * 7]


@pytest.mark.parametrize(
    ("y", "wanted", "words"),
    [
        (np.eye(_N)[:, :3] + np.eye(_N)[:, :3][::-1], None, None),
        (np.tile([0.0, 1.0], (_N, 1)), None, "each row with one 1"),
        (np.tile([0, 7], (_N, 1)), None, "task=node_regression, or give one class a row"),
        (_VALUES, Task.NODE_CLASSIFICATION, "is no class a row"),
        (_VALUES, Task.NODE_MULTILABEL, "a node has a label (1) or not (0)"),
        (np.arange(_N) % 3, Task.NODE_MULTILABEL, "y holds 2"),
        (np.arange(_N) % 3, Task.GRAPH_CLASSIFICATION, "the nodes of one graph"),
        (np.where(np.eye(_N, 2) == 1, np.nan, 0.5), None, "NaN in part"),
        (np.full((_N, 2), np.inf), None, "infinite"),
        (np.full((_N, 2), np.nan), Task.NODE_REGRESSION, "no label"),
        (_LABELS * [1, 0, 1], Task.NODE_MULTILABEL, "no node has label 1"),
        (_LABELS[:4], None, "it must be [10, labels]"),
        (np.zeros((2, 2, 2)), None, "(2, 2, 2)"),
        (np.array(["a"] * _N), None, "<U1"),
    ],
)
def test_labels_that_fit_no_task_or_not_this_one_are_one_line(
    y: Any, wanted: Task | None, words: str | None
) -> None:
    if words is None:
        assert _raw(y).for_task(wanted).task is Task.NODE_MULTILABEL
        return
    with pytest.raises(InputError, match=r"^mine: [^\n]*$") as caught:
        _raw(y).for_task(wanted).check()
    assert words in str(caught.value)


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(InputError, match="metric=r2: the task is node_multilabel; choose one of"):
        _raw(_LABELS).for_task(metric=Metric.R2)


def test_a_split_trains_what_is_labelled_and_differs() -> None:
    unlabelled = np.concatenate([_LABELS[:6], _NAN, _LABELS[7:]])
    with pytest.raises(InputError, match="node 6 of the val split has no label"):
        _prepared(_raw(unlabelled))
    few = _LABELS.copy()
    few[:5, 2] = 0
    with pytest.raises(InputError, match="no training node has label 'c'"):
        _prepared(_raw(few, class_names=("a", "b", "c")))
    same = _VALUES.copy()
    same[:5, 1] = 4
    with pytest.raises(InputError, match="number 1 is 4 on every training node"):
        _prepared(_raw(same))


def test_without_classes_a_split_is_drawn_from_all_that_is_labelled() -> None:
    y = np.concatenate([_VALUES[:9], np.full((1, 2), np.nan, np.float32)])
    split = OwnOrPerClassSplit(val_per_class=30, seed=3).split(_raw(y).for_task())
    parts = [split.train, split.val, split.test]
    assert sorted(np.concatenate(parts)) == list(range(9))
    assert [part.size for part in parts] == [7, 1, 1]
    assert "60 % training" in split.origin
    own = Split(np.arange(6), np.arange(0), np.arange(0))
    split = OwnOrPerClassSplit(val_per_class=30).split(replace(_raw(_VALUES), split=own))
    assert (split.train.size, split.val.size, split.test.size) == (6, 2, 2)


def test_numbers_are_scaled_by_the_training_labels_alone() -> None:
    data = _prepared(_raw(_VALUES))
    graph, scale = data.graph, data.graph.target_scale
    assert scale is not None
    np.testing.assert_allclose(scale.mean, _VALUES[:5].mean(0), rtol=1e-6)
    np.testing.assert_allclose(scale.std, _VALUES[:5].std(0), rtol=1e-6)
    outputs = scale.standardised(graph.train.labels)
    np.testing.assert_allclose(outputs.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(graph.in_units(outputs), graph.train.labels, rtol=1e-5)
    # Labels themselves stay in the units that the user has.
    held = data.held_out
    np.testing.assert_array_equal(held.labels, _VALUES[graph.node_order[held.nodes]])
    assert _prepared(_raw(_LABELS)).graph.target_scale is None


def test_a_task_is_part_of_what_identifies_a_graph() -> None:
    plain = _prepared(_raw(np.arange(_N) % 2)).graph
    others = [
        _prepared(_raw(np.arange(_N) % 2).for_task(metric=Metric.MACRO_F1)).graph,
        _prepared(_raw(np.arange(_N) % 2).for_task(Task.NODE_MULTILABEL)).graph,
    ]
    assert len({graph.fingerprint for graph in (plain, *others)}) == 3
