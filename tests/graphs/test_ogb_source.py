"""OGB's raw files, in a small graph of their layout."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs.sources import OgbSource


def _write(folder: Path, files: dict[str, Sequence[Sequence[object]]]) -> None:
    for name, rows in files.items():
        path = folder / "ogbn_arxiv" / f"{name}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, header=False, index=False)


def _source(folder: Path, *, undirected: bool = True) -> OgbSource:
    files: dict[str, Sequence[Sequence[object]]] = {
        "raw/edge": [[0, 1], [2, 1]],
        "raw/node-feat": [[0.5, -1.0], [2.0, 0.0], [1.0, 1.0], [0.0, 3.0]],
        "raw/node-label": [[1], [0], [1], [None]],
        "split/time/train": [[0], [1]],
        "split/time/valid": [[2]],
        "split/time/test": [[2]],
    }
    _write(folder, files)
    return OgbSource("ogbn-arxiv", str(folder), "time", undirected=undirected)


def test_the_files_are_a_graph_with_its_split(tmp_path: Path) -> None:
    raw = _source(tmp_path).load()
    raw.check()
    np.testing.assert_array_equal(raw.x, [[0.5, -1], [2, 0], [1, 1], [0, 3]])
    assert raw.edge_index.tolist() == [[0, 2, 1, 1], [1, 1, 0, 2]]
    assert raw.y.tolist() == [1, 0, 1, -1]
    assert raw.split is not None
    assert (raw.split.train.tolist(), raw.split.val.tolist()) == ([0, 1], [2])
    directed = _source(tmp_path, undirected=False).load()
    assert directed.edge_index.tolist() == [[0, 2], [1, 1]]


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*edge\.csv\.gz; [^\n]*arxiv\.zip[^\n]*$"):
        OgbSource("ogbn-arxiv", str(tmp_path), "time", undirected=True).load()
    source = _source(tmp_path)
    path = tmp_path / "ogbn_arxiv" / "raw" / "node-feat.csv.gz"
    whole = path.read_bytes()
    for content in (b"", b"no gzip", whole[:-12]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"^[^\n]*node-feat\.csv\.gz cannot be read[^\n]*$"):
            source.load()
