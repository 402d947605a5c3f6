"""What a table does not say: asked for where a guess would be ruinous, and said where it is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.first_lines import label_lines
from sgq_auto.graphs.sources import TableSource
from sgq_auto.graphs.splits import OwnOrPerClassSplit, PerClassSplit

_ORDER = [3, 0, 5, 1, 4, 2]
_EDGES = "source,target\n0,1\n2,3\n1,4\n"


def table(folder: Path, columns: dict[str, list[Any]], edges: str = _EDGES, **k: Any) -> RawGraph:
    columns = {"label": list("ababab")} | columns
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    (folder / "n.csv").write_text("\n".join(rows) + "\n")
    (folder / "e.csv").write_text(edges)
    raw = TableSource(str(folder / "n.csv"), str(folder / "e.csv"), **k).load()
    raw.check()
    return raw


_A = {"a": [0.5, 0.25, 0.5, 1.5, 2.5, 3.5]}


@pytest.mark.parametrize("name", ["Id", "node_id", "name", "txId", "0"])
def test_a_column_that_may_be_the_ids_is_asked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^n\.csv: column '{name}' [^\n]*source\.id={name} "):
        table(tmp_path, {name: _ORDER, **_A})
    raw = table(tmp_path, {name: _ORDER, **_A}, id=int(name) if name == "0" else name)
    assert raw.edge_index[:, :3].tolist() == [[1, 5, 3], [3, 0, 4]]
    assert raw.x.shape == (6, 1)
    assert raw.node_ids is not None
    assert list(raw.node_ids) == [str(k) for k in _ORDER]
    assert any(f"called by column '{name}'" in note for note in raw.notes)
    rows = table(tmp_path, {name: _ORDER, **_A}, id=False)
    assert rows.edge_index[:, :3].tolist() == [[0, 2, 1], [1, 3, 4]]
    assert rows.node_ids is None


def test_the_index_of_a_shuffled_frame_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column 'unnamed' [^\n]*source\.id=unnamed "):
        table(tmp_path, {"": _ORDER, **_A})
    assert table(tmp_path, {"": _ORDER, **_A}, id="unnamed").edge_index[0, 0] == 1
    # In the order of the rows it says nothing that the rows do not.
    raw = table(tmp_path, {"": list(range(6)), **_A})
    assert raw.x.shape == (6, 1)
    assert "n.csv: a column without a name is left out" in raw.notes


def test_a_second_column_of_ids_beside_id_is_asked_about(tmp_path: Path) -> None:
    columns = {"id": list(range(6)), "user": _ORDER, **_A}
    with pytest.raises(InputError, match=r"'user' [^\n]*id=user [^\n]*id=id if"):
        table(tmp_path, columns)
    assert table(tmp_path, columns, id="id").edge_index[0, 0] == 0


@pytest.mark.parametrize(
    ("columns", "features"),
    [
        ({"score": [0.5, 1.5, 2.5, 3.25, 4.5, 5.5]}, 1),
        ({"a": [10, 20, 30, 40, 50, 60]}, 1),
        # The number of the row is not guessed to be a feature either.
        ({"row": list(range(6)), "a": [1, 2, 2, 2, 2, 2]}, 1),
    ],
)
def test_what_is_no_id_stops_nothing(
    columns: dict[str, list[Any]], features: int, tmp_path: Path
) -> None:
    raw = table(tmp_path, columns)
    assert raw.x.shape == (6, features)
    assert any("edges name the rows, counted from 0" in note for note in raw.notes)
    if "row" in columns:
        assert any("'row' is the number of the row" in note for note in raw.notes)


def test_edges_of_no_row_name_the_column_that_fits(tmp_path: Path) -> None:
    edges = "source,target\nn3,n0\n"
    with pytest.raises(InputError, match=r"'n3' [^\n]*numbers of its rows[^\n]*id=code\?$"):
        table(tmp_path, {"code": [f"n{k}" for k in _ORDER], **_A}, edges)


def test_edges_that_count_from_1_are_pointed_at(tmp_path: Path) -> None:
    raw = table(tmp_path, _A, "source,target\n1,2\n3,4\n")
    assert any("no edge names row 0" in note for note in raw.notes)


def test_what_is_unlabelled_is_set_and_what_may_be_is_said(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"label": ["a", "NA", "b", "na ", "unknown", "b"], **_A}
    with pytest.raises(InputError, match=r"class 'NA' [^\n]*unlabelled=\[NA\]"):
        PerClassSplit(1, val_per_class=1).split(table(tmp_path, columns))
    raw = table(tmp_path, columns, unlabelled=["NA", "unknown", "?"])
    assert raw.y.tolist() == [0, -1, 1, -1, -1, 1]
    assert raw.class_names == ("a", "b")
    assert any("2 nodes with 'NA'" in note for note in raw.notes)
    assert any("0 nodes with '?'" in note for note in raw.notes)
    numbers: dict[str, Any] = {"label": [1, -1, 2, 1, -1, 2], **_A}
    assert table(tmp_path, numbers, unlabelled=-1).y.tolist() == [0, -1, 1, 0, -1, 1]
    raw = table(tmp_path, {**columns, "split": ["train"] * 4 + ["val", "test"]})
    assert raw.split is not None
    lines = label_lines(raw, raw.split)
    (line,) = (line for line in lines if "may mean" in line)
    assert "'NA', 'na', 'unknown'" in line
    assert "dataset.source.unlabelled=[NA,na,unknown]" in line
    with pytest.raises(InputError, match="'label' is empty"):
        table(tmp_path, {"label": ["x"] * 6, **_A}, unlabelled=["x"])


def test_every_column_is_named(tmp_path: Path) -> None:
    edges = "Source,Target,Type,Id,Label,timeset,Weight\n0,1,Undirected,0,,,0.5\n"
    columns = {"a": [1, 2, 2, 2, 2, 2], "b": list("uvwuvw"), "c": [1, 1, 2, 2, 2, 2]}
    raw = table(tmp_path, columns, edges, edge_columns=["Source", "Target"], features=["a"])
    (line,) = (line for line in raw.notes if line.startswith("e.csv: 'Type'"))
    for name in ("Type", "Id", "Label", "timeset", "Weight"):
        assert f"'{name}'" in line
    assert "n.csv: the class is 'label', features are 'a'; not used: 'b', 'c'" in raw.notes


def test_validation_nodes_are_drawn_where_a_split_has_none(tmp_path: Path) -> None:
    columns: dict[str, Any] = {**_A, "split": ["train"] * 4 + ["test"] * 2}
    raw = table(tmp_path, columns)
    split = OwnOrPerClassSplit(1, val_per_class=1).split(raw)
    assert (split.train.size, split.val.size, split.test.tolist()) == (2, 2, [4, 5])
    assert "2 of the 4 training nodes" in split.origin
    np.testing.assert_array_equal(OwnOrPerClassSplit(1, val_per_class=1).split(raw).val, split.val)


def test_ids_that_became_fractions_are_whole(tmp_path: Path) -> None:
    columns = {"user": [f"{k}.0" for k in _ORDER], **_A}
    with pytest.raises(InputError, match="'user'"):
        table(tmp_path, columns)
    raw = table(tmp_path, columns, id="user")
    assert raw.edge_index[:, 0].tolist() == [1, 3]
    raw = table(tmp_path, columns, "source,target\n0.0,1.0\n", id="user")
    assert raw.edge_index[:, 0].tolist() == [1, 3]
