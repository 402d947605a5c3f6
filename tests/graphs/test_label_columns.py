"""Several labels and numbers in tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.sources import TableSource
from sgq_auto.task import Task

_EDGES = "source,target\nn1,n2\nn2,n3\n"


def _read(folder: Path, nodes: str, **settings: Any) -> RawGraph:
    (folder / "nodes.csv").write_text(nodes)
    (folder / "edges.csv").write_text(_EDGES)
    source = TableSource(str(folder / "nodes.csv"), str(folder / "edges.csv"), **settings)
    return source.load()


def test_several_columns_are_a_label_each(tmp_path: Path) -> None:
    nodes = "id,f,red,green\nn1,1,1,true\nn2,2,0,False\nn3,3,,\n"
    raw = _read(tmp_path, nodes, label=["red", "green"])
    np.testing.assert_array_equal(raw.y, [[1, 1], [0, 0], [np.nan, np.nan]])
    assert (raw.class_names, raw.x.shape) == (("red", "green"), (3, 1))
    assert raw.for_task().task is Task.NODE_MULTILABEL
    assert any("the labels are 'red', 'green'" in note for note in raw.notes)


def test_what_means_no_label_counts_in_each_column(tmp_path: Path) -> None:
    nodes = "id,f,red,green\nn1,1,1,1\nn2,2,0,1\nn3,3,NA,NA\n"
    raw = _read(tmp_path, nodes, label=["red", "green"], unlabelled=["NA"])
    assert raw.labelled.tolist() == [True, True, False]


def test_lists_are_the_labels_that_a_node_has(tmp_path: Path) -> None:
    nodes = 'id,f,label\nn1,1,"[""red"", ""blue""]"\nn2,2,[]\nn3,3,[red]\n'
    raw = _read(tmp_path, nodes)
    assert raw.class_names == ("blue", "red")
    assert raw.y.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert any("lists the labels that each node has" in note for note in raw.notes)
    path = tmp_path / "nodes.parquet"
    pd.DataFrame({"v": [1.0, 2.0], "label": [[0, 1], [1]]}).to_parquet(path)
    (tmp_path / "edges.csv").write_text("source,target\n0,1\n")
    raw = TableSource(str(path), str(tmp_path / "edges.csv")).load()
    assert raw.y.tolist() == [[1, 1], [0, 1]]


def test_numbers_are_predicted_as_numbers(tmp_path: Path) -> None:
    raw = _read(tmp_path, "id,f,price\nn1,1,0.5\nn2,2,7\nn3,3,\n", label="price").for_task()
    np.testing.assert_array_equal(raw.y, [[0.5], [7], [np.nan]])
    assert (raw.task, raw.class_names) == (Task.NODE_REGRESSION, ("price",))
    raw = _read(tmp_path, "id,f,a,b\nn1,1,0.5,1\nn2,2,7,2\nn3,3,8,3\n", label=["a", "b"])
    assert raw.for_task().task is Task.NODE_REGRESSION


def test_whole_numbers_are_classes_unless_the_task_says_numbers(tmp_path: Path) -> None:
    nodes = "id,f,count\nn1,1,10\nn2,2,-1\nn3,3,30\n"
    assert _read(tmp_path, nodes, label="count").for_task().task is Task.NODE_CLASSIFICATION
    raw = _read(tmp_path, nodes, label="count").for_task(Task.NODE_REGRESSION)
    assert raw.y.tolist() == [[10], [-1], [30]]
    assert raw.class_names == ("count",)


def test_what_is_no_label_is_told_with_its_row(tmp_path: Path) -> None:
    nodes = "id,f,a,b\nn1,1,1,0\nn2,2,1,maybe\nn3,3,0,1\n"
    with pytest.raises(InputError, match=r"^nodes\.csv: column 'b' holds 'maybe' in row 2; "):
        _read(tmp_path, nodes, label=["a", "b"])
    with pytest.raises(InputError, match="no column 'c'"):
        _read(tmp_path, nodes, label=["a", "c"])
