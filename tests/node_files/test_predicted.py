"""Predictions of every task in files and in words."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from sgq_auto.node_files.predicted import Classes, Labels, Numbers, predicted
from sgq_auto.packed import PackedModel
from sgq_auto.task import Task

_LOGITS = np.array([[2.0, -1.0], [-300.0, 0.5], [-2.0, -3.0]], np.float32)
_NODES = ["x", "y", "z"]


class _Model:
    classes = ("red", "=blue")

    def __init__(self, task: Task) -> None:
        self.task = task


def _found(task: Task) -> Any:
    return predicted(cast(PackedModel, _Model(task)), _LOGITS)


def test_several_labels_are_probabilities(tmp_path: Path) -> None:
    found = _found(Task.NODE_MULTILABEL)
    assert isinstance(found, Labels)
    np.testing.assert_allclose(found.shares[0], 1 / (1 + np.exp(-_LOGITS[0])), rtol=1e-6)
    assert found.summed_up == "red (1), =blue (1)"
    assert found.of(0) == "labels red (88 %)"
    assert found.of(2) == "no label"
    found.write(tmp_path / "p.csv", _NODES, "node")
    header, first, *_ = (tmp_path / "p.csv").read_text().splitlines()
    # A name of a file is no formula in a spreadsheet.
    assert header.startswith("node,red,")
    assert "=blue" not in header.split(",")
    assert first == "x,0.880797,0.268941"
    found.write(tmp_path / "p.npy", _NODES, "node")
    stored = np.load(tmp_path / "p.npy")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, found.shares)


def test_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    found = _found(Task.NODE_REGRESSION)
    assert isinstance(found, Numbers)
    assert found.summed_up == "red -300 to 2, =blue -3 to 0.5"
    assert found.of(1) == "red = -300, =blue = 0.5"
    found.write(tmp_path / "p.csv", _NODES, "node")
    assert (tmp_path / "p.csv").read_text().splitlines()[2] == "y,-300,0.5"
    assert replace(found, values=found.values[:0]).summed_up == "nothing"


@pytest.mark.parametrize("task", [Task.NODE_CLASSIFICATION, Task.GRAPH_CLASSIFICATION])
def test_classes_are_the_largest_logits(task: Task) -> None:
    found = _found(task)
    assert isinstance(found, Classes)
    assert found.classes.tolist() == [0, 1, 0]
    assert found.of(1) == "class =blue"
