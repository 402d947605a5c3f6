"""Ids of nodes: what comes back, and that many cost little."""

import time
from pathlib import Path

import numpy as np
import pytest

from sgq_auto.errors import InputError
from sgq_auto.node_files.node_ids import NodeIds, load_node_ids, save_node_ids

_IDS = ["", "7", "07", "ö", "日本", "a,b", "7"]


def test_ids_come_back_from_their_file(tmp_path: Path) -> None:
    save_node_ids(NodeIds.of(_IDS, "user"), tmp_path / "ids", "mine")
    ids = load_node_ids(tmp_path / "ids", "mine", len(_IDS))
    assert ids is not None
    assert list(ids) == _IDS
    assert ids.column == "user"
    assert [ids.rows_of(name).tolist() for name in ("7", "日本", "x", "")] == [[1, 6], [4], [], [0]]
    assert ids.holds_numbers
    assert not NodeIds.of(["n1", "-", ""], "user").holds_numbers
    assert load_node_ids(tmp_path / "ids", "another", len(_IDS)) is None
    with pytest.raises(InputError, match="an id for each of the 8 nodes"):
        load_node_ids(tmp_path / "ids", "mine", 8)


def test_a_million_ids_are_found_and_kept_in_a_moment(tmp_path: Path) -> None:
    names = [str(k) for k in range(10**6, 2 * 10**6)]
    began = time.perf_counter()
    save_node_ids(NodeIds.of(names, "user"), tmp_path / "ids", "mine")
    ids = load_node_ids(tmp_path / "ids", "mine", 10**6)
    assert ids is not None
    assert ids.rows_of("1234567").tolist() == [234567]
    assert ids.holds_numbers
    assert time.perf_counter() - began < 10
    # Seven letters and four bytes for the length.
    assert (tmp_path / "ids").stat().st_size < 11 * 10**6 + 1000


def test_a_file_whose_lengths_lie_is_refused(tmp_path: Path) -> None:
    ids = NodeIds("user", np.frombuffer(b"abc", np.uint8), np.array([1, 2]))
    save_node_ids(ids, tmp_path / "ids", "mine")
    with pytest.raises(InputError, match="an id for each"):
        load_node_ids(tmp_path / "ids", "mine", 2)
