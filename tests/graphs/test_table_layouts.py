"""Tables as people keep them: separators, comments, headers, lists and features of their own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.sources import TableSource

_NODES = "node,a,label\n7,0.5,x\n8,1.5,y\n9,2.5,x\n"
_EDGES = "7,9\n8,9\n7,8\n"
_PAIRS = [[0, 1, 0], [2, 2, 1]]


def read(folder: Path, nodes: str, edges: str, **settings: Any) -> RawGraph:
    (folder / "n.txt").write_text(nodes)
    (folder / "e.txt").write_text(edges)
    raw = TableSource(str(folder / "n.txt"), str(folder / "e.txt"), **settings).load()
    raw.check()
    return raw


@pytest.mark.parametrize(
    "edges",
    [
        _EDGES,
        _EDGES.replace(",", " "),
        _EDGES.replace(",", "\t"),
        " 7   9 \n8\t9\n7 8\n",
        "# an edge a line\n# from,to\n" + _EDGES,
        "#from,to\n" + _EDGES,
        "% KONECT\n" + _EDGES.replace(",", " ") + "% the end\n",
        "# comment\n\n" + _EDGES.replace(",", ";"),
        "# comment\nsource,target\n" + _EDGES,
    ],
)
def test_edges_without_a_header_and_with_comments(edges: str, tmp_path: Path) -> None:
    raw = read(tmp_path, _NODES, edges, id="node")
    assert raw.edge_index[:, :3].tolist() == _PAIRS


def test_lines_like_comments_in_a_table_without_comments_are_rows(tmp_path: Path) -> None:
    nodes = "node,a,label\n#7,0.5,#x\n8,1.5,y\n9,2.5,x\n"
    raw = read(tmp_path, nodes, "source,target\n#7,8\n", id="node")
    assert raw.class_names == ("#x", "x", "y")
    assert raw.edge_index[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("header", [None, False])
def test_nodes_without_a_header(header: bool | None, tmp_path: Path) -> None:
    nodes = "7 0.5 0.25 x\n8 1.5 0.5 y\n9 2.5 0.5 x\n"
    raw = read(tmp_path, nodes, _EDGES, id=0, label=3, header=header)
    np.testing.assert_array_equal(raw.x, [[0.5, 0.25], [1.5, 0.5], [2.5, 0.5]])
    assert raw.edge_index[:, :3].tolist() == _PAIRS
    assert any("no header, so the columns are called '0', '1', '2'" in n for n in raw.notes)


def test_words_and_a_class_without_a_header_are_data(tmp_path: Path) -> None:
    # As the files of Cora come: id, words, class.
    nodes = "31336\t0\t0\t1\tRules\n1061127\t0\t1\t1\tTheory\n1106406\t1\t0\t0\tRules\n"
    raw = read(tmp_path, nodes, "31336\t1061127\n", id=0, label=4, features=[1, 2, 3])
    np.testing.assert_array_equal(raw.x, [[0, 0, 1], [0, 1, 1], [1, 0, 0]])


def test_columns_called_by_numbers(tmp_path: Path) -> None:
    nodes = "0,1,2\n0.5,0.25,0\n1.5,0.5,1\n2.5,0.5,0\n"
    edges = "0,1\n2,1\n0,2\n"
    for names in ([0, 1], ["0", "1"]):
        raw = read(tmp_path, nodes, edges, edge_columns=names, label=2, features=names)
        assert raw.x.shape == (3, 2)
        assert raw.edge_index[:, :2].tolist() == [[2, 0], [1, 2]]
        assert any("e.txt: the first line is taken for names" in n for n in raw.notes)
        assert any("dataset.source.header=false if not" in n for n in raw.notes)
    raw = read(tmp_path, nodes, edges, edge_columns=[0, 1], label=2, header="nodes")
    assert raw.edge_index.shape == (2, 6)
    # A sorted list of edges begins with 0 and 1, too.
    raw = read(tmp_path, nodes, "0,1\n0,2\n1,2\n", edge_columns=[0, 1], label=2)
    assert raw.edge_index.shape == (2, 6)
    assert any("header=true if not" in n for n in raw.notes)
    assert read(tmp_path, nodes, edges.replace(",", " "), label=2).edge_index.shape == (2, 6)
    with pytest.raises(InputError, match=r"header=maybe: it must be true or false"):
        read(tmp_path, nodes, edges, label=2, header="maybe")


def test_names_that_are_years_are_names(tmp_path: Path) -> None:
    nodes = "id,2010,2011,label\n7,0.5,1,x\n8,1.5,0,y\n9,2.5,0,x\n"
    assert read(tmp_path, nodes, _EDGES, features=[2010, 2011]).x.shape == (3, 2)


def test_row_names_as_r_writes_them(tmp_path: Path) -> None:
    nodes = '"id" "a" "label"\n"1" 7 0.5 "x y"\n"2" 8 1.5 "z"\n"3" 9 2.5 "z"\n'
    raw = read(tmp_path, nodes, _EDGES)
    assert raw.class_names == ("x y", "z")
    assert raw.x.ravel().tolist() == [0.5, 1.5, 2.5]
    assert any("a column without a name is left out" in n for n in raw.notes)


@pytest.mark.parametrize(
    "cell",
    ["[1, 0, {}]", "(1 0 {})", "1;0;{}", "1 0 {}", "1|0|{}", "1.0  0.0 {}", "[1,0,{},]"],
)
def test_features_as_lists_in_one_field(cell: str, tmp_path: Path) -> None:
    rows = "".join(f'{7 + k},"{cell.format(k + 2)}",{"xy"[k % 2]}\n' for k in range(3))
    if cell.endswith(",]"):
        with pytest.raises(InputError, match=r"n\.txt: column 'f'"):
            read(tmp_path, "id,f,label\n" + rows.replace("2,", "z,"), _EDGES)
        return
    raw = read(tmp_path, "id,f,label\n" + rows, _EDGES)
    np.testing.assert_array_equal(raw.x, [[1, 0, 2], [1, 0, 3], [1, 0, 4]])


def test_lists_between_tabs_need_no_quotes(tmp_path: Path) -> None:
    nodes = "id\tf\tlabel\n7\t1,0,2\tx\n8\t1,0,3\ty\n9\t1,0,4\tx\n"
    np.testing.assert_array_equal(read(tmp_path, nodes, _EDGES).x[:, 2], [2, 3, 4])


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        # Two numbers around a comma may be one, with a decimal comma.
        ("id\tf\tlabel\n7\t1,5\tx\n8\t2,5\ty\n9\t3,5\tx\n", "'1,5' in row 1"),
        ("id\tf\tlabel\n7\t1,5,2\tx\n8\t2,5,1,1\ty\n9\t3,5,2\tx\n", "differ in length"),
        ('id,f,label\n7,[1],"[0, 1]"\n8,[2],"[1, 0]"\n9,[2],"[1, 0]"\n', "equally long"),
        ("id,f,label\n7,1,x,,\n8,1,y,,\n9,1,x,,\n", "not a table"),
        ("id,f,f\n7,1,x\n8,1,y\n9,1,x\n", "no column 'label'"),
    ],
)
def test_what_is_not_clear_is_refused(nodes: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"n\.txt: ") as caught:
        read(tmp_path, nodes, _EDGES)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_packed_files_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "n.csv.gz").write_bytes(b"\x1f\x8b\x08\x00")
    (tmp_path / "e.csv").write_text(_EDGES)
    with pytest.raises(InputError, match="compressed; unpack it first"):
        TableSource(str(tmp_path / "n.csv.gz"), str(tmp_path / "e.csv")).load()


_DENSE = [[0, 2, 0], [0.5, 0, 0], [0, 0, 1]]
_PLAIN = "id,label,age\n7,x,1\n8,y,2\n9,x,1\n"


def features_of(folder: Path, name: str, content: str, **settings: Any) -> RawGraph:
    (folder / name).write_text(content)
    return read(folder, _PLAIN, _EDGES, features_file=str(folder / name), **settings)


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("f.csv", "node_id,feature_id,value\n7,1,2\n8,0,0.5\n9,2,1\n", None),
        ("f.txt", "7 1 2\n8 0 0.5\n9 2 1\n", None),
        ("f.csv", "at,value,f,n\n1,2,1,7\n1,0.5,0,8\n1,1,2,9\n", ["n", "f", "value"]),
        ("f.json", '{"7": {"b": 2}, "8": {"a": 0.5}, "9": {"c": 1}}', None),
    ],
)
def test_features_of_a_file_of_their_own(
    name: str, content: str, columns: list[str] | None, tmp_path: Path
) -> None:
    raw = features_of(tmp_path, name, content, feature_columns=columns)
    x: Any = raw.x
    np.testing.assert_array_equal(x.toarray(), _DENSE)
    assert any("3 values of 3 features" in note for note in raw.notes)
    assert any("not used: 'age'" in note for note in raw.notes)
    both: Any = features_of(tmp_path, name, content, feature_columns=columns, features="age").x
    np.testing.assert_array_equal(both.toarray(), np.hstack([[[1], [2], [1]], _DENSE]))


def test_lists_of_present_features_in_json(tmp_path: Path) -> None:
    lists = {"9": [10, 300, 10], "7": [300], "8": []}
    raw = features_of(tmp_path, "f.json", json.dumps(lists))
    x: Any = raw.x
    np.testing.assert_array_equal(x.toarray(), [[0, 1], [0, 0], [1, 1]])
    assert any("1 nodes have none" in note for note in raw.notes)
    pairs: Any = features_of(tmp_path, "f.csv", "node,word\n9,10\n9,300\n7,300\n").x
    np.testing.assert_array_equal(pairs.toarray(), x.toarray())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("f.csv", "n,f,v\n7,1,2\n6,1,1\n", "'6' in row 2 is no node"),
        ("f.csv", "n,f,v\n7,1,2\n7,1,3\n", "'7' has feature '1' twice, again in row 2"),
        ("f.csv", "n,f,v\n7,1,much\n", "'v' has no number in row 1"),
        ("f.csv", "n,f,v,w\n7,1,1,1\n", "feature_columns=[NODE,FEATURE,VALUE]"),
        ("f.json", "[1, 2]", "an object of nodes"),
        ("f.json", "{", "in JSON"),
        ("f.json", '{"7": [1, 2], "8": [0, 1], "9": [2, 0]}', "all lists are of one length"),
        ("f.json", '{"7": [0.5, 2]}', "numbers or names"),
    ],
)
def test_features_that_do_not_fit(name: str, content: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{name}: [^\n]*$") as caught:
        features_of(tmp_path, name, content)
    assert words in str(caught.value), caught.value


def test_tables_of_pandas_are_read_as_pandas_reads_them(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [7, 8, 9], "label": ["x", "y", "z"]})
    frame["a"], frame["a b"], frame["text;"] = [1.5, 2, 3], [4, 5, 6], [7, 8, 8]
    (tmp_path / "e.csv").write_text("source,target\n7,8\n")
    for separator in (",", ";", "\t"):
        frame.to_csv(tmp_path / "n.csv", sep=separator, index=False)
        raw = TableSource(str(tmp_path / "n.csv"), str(tmp_path / "e.csv")).load()
        np.testing.assert_array_equal(raw.x, frame[["a", "a b", "text;"]])
