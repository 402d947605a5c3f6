"""Graphs in two tables: what people bring, and what they are told when it does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, RawGraph, prepare_graph
from sgq_auto.graphs.sources import TableSource
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.graphs.splits.split_checks import check_split

NODES = """id,age,tall,label,split
ann,31,1.5,cat,train
bob,44,0.25,dog,train
eve,12,2,cat,val
joe,9,-1,,
kim,70,0,dog,test
"""
EDGES = "source,target\nann,bob\nbob,eve\neve,eve\nbob,eve\neve,bob\n"


def source(folder: Path, nodes: str = NODES, edges: str = EDGES, **settings: Any) -> TableSource:
    (folder / "nodes.csv").write_text(nodes, encoding="utf-8")
    (folder / "edges.csv").write_text(edges, encoding="utf-8")
    return TableSource(str(folder / "nodes.csv"), str(folder / "edges.csv"), **settings)


def edges_of(raw: RawGraph) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in raw.edge_index.T}


def same(one: RawGraph, other: RawGraph) -> None:
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.edge_index, other.edge_index)
    np.testing.assert_array_equal(one.y, other.y)
    assert one.class_names == other.class_names


def test_two_csv_files_are_a_graph(tmp_path: Path) -> None:
    raw = source(tmp_path).load()
    raw.check()
    assert raw.name == "nodes"
    np.testing.assert_array_equal(
        raw.x, np.float32([[31, 1.5], [44, 0.25], [12, 2], [9, -1], [70, 0]])
    )
    assert raw.x.dtype == np.float32
    assert edges_of(raw) == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 2)}
    assert raw.y.tolist() == [0, 1, 0, -1, 1]
    assert raw.class_names == ("cat", "dog")
    assert raw.split is not None
    assert [raw.split.train.tolist(), raw.split.val.tolist(), raw.split.test.tolist()] == [
        [0, 1],
        [2],
        [4],
    ]


def test_it_is_prepared_with_what_is_odd_of_it_said(tmp_path: Path) -> None:
    raw = source(tmp_path).load()
    assert raw.split is not None
    data = prepare_graph(raw, raw.split, BucketSettings(), normalize_rows=False)
    counts, *notes = data.notes
    # Repeats merge; the self-loop, which every node has anyway, is no edge.
    assert counts == (
        "nodes: 5 nodes, 2 undirected edges, 2 features, 2 classes; 2 training, 1 validation and "
        "1 test nodes; nodes without an edge: 2"
    )
    assert any("read as undirected" in note and "undirected=false" in note for note in notes)
    assert notes[0] == "nodes: classes 'cat' (2 nodes), 'dog' (2); 1 nodes have no label"
    assert notes[1] == "nodes: the split is the data's own (column 'split')"


def test_directions_are_kept_where_they_count(tmp_path: Path) -> None:
    raw = source(tmp_path, edges="source,target\nann,bob\nbob,eve\n", undirected=False).load()
    assert edges_of(raw) == {(0, 1), (1, 2)}
    assert raw.split is not None
    data = prepare_graph(raw, raw.split, BucketSettings(), normalize_rows=False)
    assert "2 directed edges" in data.notes[0]


def test_names_of_columns_are_settings(tmp_path: Path) -> None:
    nodes = NODES.replace("id,age,tall,label,split", "name,x_age,x_tall,kind,part")
    edges = EDGES.replace("source,target", "from,to")
    settings = {"id": "name", "label": "kind", "split": "part", "edge_columns": ["from", "to"]}
    renamed = source(tmp_path, nodes, edges, **settings, features=["x_*"]).load()
    same(renamed, source(tmp_path).load())


def test_features_are_chosen_by_name_and_pattern(tmp_path: Path) -> None:
    nodes = "label,word_1,title,word_2,age\na,1,Gone,0,3\nb,0,Back,1,4\n"
    edges = "source,target\n0,1\n"
    raw = source(tmp_path, nodes, edges, features=["age", "word_*"]).load()
    np.testing.assert_array_equal(raw.x, [[1, 0, 3], [0, 1, 4]])
    np.testing.assert_array_equal(
        source(tmp_path, nodes, edges, features="age").load().x, [[3], [4]]
    )


def test_without_ids_edges_name_rows_from_0(tmp_path: Path) -> None:
    raw = source(tmp_path, "a,label\n1,0\n2,1\n3,0\n", "source,target\n2,0\n").load()
    assert edges_of(raw) == {(2, 0), (0, 2)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(separator: str, encoding: str, tmp_path: Path) -> None:
    plain = source(tmp_path).load()
    for name, text in (("nodes.csv", NODES), ("edges.csv", EDGES)):
        lines = text.replace(",", separator).replace("\n", "\r\n")
        (tmp_path / name).write_bytes(lines.encode(encoding))
    same(TableSource(str(tmp_path / "nodes.csv"), str(tmp_path / "edges.csv")).load(), plain)


def test_an_index_that_pandas_wrote_is_no_feature(tmp_path: Path) -> None:
    source(tmp_path)
    for name in ("nodes.csv", "edges.csv"):
        frame = pd.read_csv(tmp_path / name)
        frame.to_csv(tmp_path / f"indexed_{name}")
    paths = [str(tmp_path / f"indexed_{name}") for name in ("nodes.csv", "edges.csv")]
    same(TableSource(*paths).load(), source(tmp_path).load())


def test_parquet_files_and_columns_of_lists(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [7, 8, 9], "label": [3.0, None, 5.0]})
    frame["vector"] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    frame["age"] = pd.Series([10, 20, 30], dtype="Int64")
    frame.to_parquet(tmp_path / "nodes.parquet")
    pd.DataFrame({"source": [7, 9], "target": [9, 8]}).to_parquet(tmp_path / "edges.parquet")
    raw = TableSource(*(str(tmp_path / f"{n}.parquet") for n in ("nodes", "edges"))).load()
    raw.check()
    np.testing.assert_array_equal(raw.x, [[1, 2, 10], [3, 4, 20], [5, 6, 30]])
    assert edges_of(raw) == {(0, 2), (2, 0), (2, 1), (1, 2)}
    assert raw.y.tolist() == [0, -1, 1]
    assert raw.class_names == ("3", "5")


def test_ids_are_text(tmp_path: Path) -> None:
    raw = source(tmp_path, "id,a,label\n007,1,NA\n7,2,None\n", "source,target\n007,7\n").load()
    assert edges_of(raw) == {(0, 1), (1, 0)}
    # Only an empty field is a missing label.
    assert raw.class_names == ("NA", "None")


def test_number_labels_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    raw = source(tmp_path, "a,label\n1,10\n2,9\n3,\n4,2\n", "source,target\n0,1\n").load()
    assert raw.y.tolist() == [2, 1, -1, 0]
    assert raw.class_names == ("2", "9", "10")


def test_masks_are_a_split(tmp_path: Path) -> None:
    nodes = "a,label,train_mask,val_mask,test_mask\n1,x,True,False,0\n2,x,0,1,0\n3,x,0,,1\n"
    raw = source(tmp_path, nodes, "source,target\n0,1\n").load()
    assert raw.split is not None
    assert raw.x.shape == (3, 1)
    assert [raw.split.train.tolist(), raw.split.val.tolist(), raw.split.test.tolist()] == [
        [0],
        [1],
        [2],
    ]


def test_degrees_are_features_where_there_are_none(tmp_path: Path) -> None:
    nodes = "label\n" + "a\nb\n" * 20
    star = "source,target\n1,1\n" + "".join(f"0,{k}\n0,{k}\n" for k in range(1, 40))
    raw = source(tmp_path, nodes, star, one_hot_degree=True).load()
    raw.check()
    assert raw.x.sum(axis=1).tolist() == [1] * 40
    assert raw.x.argmax(axis=1).tolist() == [31] + [1] * 39


def test_nodes_without_label_are_in_no_drawn_split(tmp_path: Path) -> None:
    nodes = "a,label\n" + "1,x\n2,\n3,y\n" * 20
    raw = source(tmp_path, nodes, "source,target\n0,1\n").load()
    for sizes in ({"val_per_class": 5}, {"num_val": 12}):
        split = PerClassSplit(5, **sizes).split(raw)
        check_split(raw, split)
        held = np.concatenate([split.train, split.val, split.test])
        assert sorted(held.tolist()) == np.flatnonzero(raw.y >= 0).tolist()


def test_a_class_that_is_too_small_for_the_split_is_named(tmp_path: Path) -> None:
    raw = source(
        tmp_path, "a,label\n" + "1,x\n" * 60 + "2,y\n" * 30, EDGES.split("\n")[0] + "\n0,1\n"
    )
    with pytest.raises(
        InputError, match=r"^nodes: class 'y' has 30 [^\n]*train_per_class=20"
    ) as no:
        PerClassSplit(20, val_per_class=30).split(raw.load())
    assert "val_per_class=30 take 50" in str(no.value)


def test_what_is_not_used_is_said(tmp_path: Path) -> None:
    nodes = "small,large,label\n0,10000,a\n1,90000,b\n"
    raw = source(tmp_path, nodes, "source,target,weight\n0,1,3.5\n").load()
    assert any("'weight' is not used" in note for note in raw.notes)
    assert any("is 1, of another 9e+04" in note for note in raw.notes)


_SMALL = "id,a,label\nn1,1,x\nn2,2,y\n"
_JOIN = "source,target\nn1,n2\n"


@pytest.mark.parametrize(
    ("nodes", "edges", "settings", "words"),
    [
        (
            _SMALL,
            _JOIN,
            {"label": "subject"},
            ["no column 'subject'", "'id', 'a', 'label'", "label="],
        ),
        (_SMALL, _JOIN, {"id": "name"}, ["no column 'name'", "'id'", "id="]),
        (_SMALL, _JOIN, {"split": "part"}, ["no column 'part'", "split="]),
        (_SMALL, _JOIN, {"features": ["w_*"]}, ["no column 'w_*'", "features="]),
        (
            _SMALL,
            "from,to\nn1,n2\n",
            {},
            ["edges.csv", "'source'", "'from', 'to'", "edge_columns="],
        ),
        (_SMALL, "source,target\nn1,n9\n", {}, ["'n9'", "'target', row 1", "nodes.csv", "'n1'"]),
        (_SMALL, "source,target\nn1,\n", {}, ["'target' is empty in row 1"]),
        (_SMALL.replace("n2", "n1"), _JOIN, {}, ["'n1'", "'id' twice"]),
        (_SMALL.replace("n2", ""), _JOIN, {}, ["'id' is empty in row 2"]),
        ("id,label\nn1,x\nn2,y\n", _JOIN, {}, ["no feature columns", "one_hot_degree=true"]),
        (_SMALL.replace("2,y", ",y"), _JOIN, {}, ["'a' is empty in row 2", "fill"]),
        (_SMALL.replace("2,y", "NaN,y"), _JOIN, {}, ["'a'", "'NaN' in row 2"]),
        (_SMALL.replace("2,y", "red,y"), _JOIN, {}, ["'red' in row 2", "features=["]),
        (_SMALL.replace(",", ";").replace(";2;", ";2,5;"), _JOIN, {}, ["'2,5'", "like 1.5"]),
        ("id,a,label\nn1,1,\nn2,2,\n", _JOIN, {}, ["'label' is empty", "class"]),
        (_SMALL, _JOIN, {"label": ["a", "label"]}, ["'label' holds 'x' in row 1", "0 or 1"]),
        (_SMALL, _JOIN, {"edge_columns": ["source"]}, ["edge_columns=['source']", "two"]),
        ("", _JOIN, {}, ["nodes.csv", "not a table"]),
        ("id,a,label\n", _JOIN, {}, ["nodes.csv", "no rows"]),
        (_SMALL, "source,target\n", {}, ["edges.csv", "no rows"]),
        (_SMALL + "n3,1,x,7\n", _JOIN, {}, ["nodes.csv", "line 4"]),
        ("id|a|label\nn1|1|x\n", _JOIN, {}, ["no column 'label'", "'id|a|label'"]),
        (
            "a,label,split\n1,x,often\n",
            "source,target\n0,0\n",
            {},
            ["'often' in row 1", "train, val, test"],
        ),
        (
            "id,a,label,train_mask,val_mask,test_mask\nn1,1,x,2,0,0\nn2,1,x,0,0,1\n",
            _JOIN,
            {},
            ["'train_mask' holds '2' in row 1", "true or false"],
        ),
    ],
)
def test_what_does_not_fit_is_one_helpful_line(
    nodes: str, edges: str, settings: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        source(tmp_path, nodes, edges, **settings).load()
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_lists_that_are_no_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nodes.parquet"
    (tmp_path / "edges.csv").write_text("source,target\n0,1\n")
    pd.DataFrame({"v": [[1.0], [1.0, 2.0]], "label": [0, 1]}).to_parquet(path)
    words = "'v' has lists that differ in length"
    with pytest.raises(InputError, match=rf"^nodes\.parquet: [^\n]*{words}[^\n]*$"):
        TableSource(str(path), str(tmp_path / "edges.csv")).load()


def test_missing_values_of_parquet_are_refused(tmp_path: Path) -> None:
    for column in (pd.Series([1, None], dtype="Int64"), [1.0, None], [[1.0], [float("nan")]]):
        frame = pd.DataFrame({"label": ["x", "y"]})
        frame["a"] = column
        frame.to_parquet(tmp_path / "nodes.parquet")
        (tmp_path / "edges.csv").write_text("source,target\n0,1\n")
        source = TableSource(str(tmp_path / "nodes.parquet"), str(tmp_path / "edges.csv"))
        with pytest.raises(
            InputError, match=r"^nodes\.parquet: column 'a' is empty in row 2[^\n]*$"
        ):
            source.load()


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    edges = tmp_path / "edges.csv"
    edges.write_text(_JOIN)
    for name, content, words in (
        ("nodes.csv", "id,a,label\nn1,1,Ärger\n".encode("latin-1"), "UTF-8"),
        ("nodes.parquet", b"not parquet", "not a table"),
        ("none.csv", None, "no such file"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=rf"^[^\n]*{name}: [^\n]*{words}[^\n]*$"):
            TableSource(str(path), str(edges)).load()
    for given, missing in (((None, "e.csv"), "nodes"), (("n.csv", None), "edges")):
        with pytest.raises(InputError, match=rf"dataset\.source\.{missing}="):
            TableSource(*given)


def test_splits_that_do_not_fit_name_a_node(tmp_path: Path) -> None:
    masks = "id,a,label,train_mask,val_mask,test_mask\nn1,1,x,1,0,0\nn2,1,x,1,1,0\nn3,1,x,0,0,1\n"
    raw = source(tmp_path, masks, _JOIN).load()
    assert raw.split is not None
    with pytest.raises(
        InputError, match=r"node 1 is in the train and the val split[^\n]*disjoint$"
    ):
        check_split(raw, raw.split)
    raw = source(tmp_path, NODES.replace("joe,9,-1,,", "joe,9,-1,,test")).load()
    assert raw.split is not None
    with pytest.raises(InputError, match=r"node 3 of the test split has no label \(1 of its 2"):
        check_split(raw, raw.split)


def test_of_many_columns_those_that_are_no_numbers_are_named_first(tmp_path: Path) -> None:
    words = ",".join(f"word_{k}" for k in range(20))
    rows = "\n".join(f"n{n},{','.join('01' * 10)},math" for n in range(3))
    with pytest.raises(InputError, match=r"did you mean 'subject'.*there are 'id', 'subject', 'w"):
        source(tmp_path, f"id,{words},subject\n{rows}\n", EDGES, label="subjct").load()


def test_rows_that_repeat_an_edge_are_counted(tmp_path: Path) -> None:
    edges = "source,target\nann,joe\njoe,ann\nann,ann\nann,joe\n"
    notes = " ".join(source(tmp_path, NODES, edges).load().notes)
    assert "edges.csv: 3 of 4 rows repeat an edge or join a node to itself" in notes
    directed = " ".join(source(tmp_path, NODES, edges, undirected=False).load().notes)
    assert "edges.csv: 2 of 4 rows" in directed
    once = source(tmp_path, NODES, "source,target\nann,joe\n").load().notes
    assert "repeat" not in " ".join(once)


def test_ids_that_parquet_keeps_as_an_index_are_ids(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [2, 0, 1], "a": [1.0, 2.0, 3.0], "label": ["x", "y", "x"]})
    frame.set_index("id").to_parquet(tmp_path / "nodes.parquet")
    pd.DataFrame({"source": [0], "target": [1]}).to_parquet(tmp_path / "edges.parquet")
    raw = TableSource(*(str(tmp_path / f"{n}.parquet") for n in ("nodes", "edges"))).load()
    assert edges_of(raw) == {(1, 2), (2, 1)}
