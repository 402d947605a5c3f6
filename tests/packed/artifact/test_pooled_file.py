"""What an artifact says of pooling: refused with one line where it lies."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pooled_cases import pooled_case

from sgq_auto.packed import ArtifactError
from sgq_auto.packed.artifact import header
from sgq_auto.packed.artifact.memory_cost import needed_bytes


def _root() -> dict[str, Any]:
    root: dict[str, Any] = json.loads(header.describe(pooled_case("gcn")[0]))
    return root


def _pools(root: dict[str, Any]) -> list[dict[str, Any]]:
    return [op for stage in root["stages"] for op in stage["operations"] if op["kind"] == "pool"]


def _unknown_pooling(root: dict[str, Any]) -> None:
    _pools(root)[0]["pooling"] = "median"


def _other_width(root: dict[str, Any]) -> None:
    _pools(root)[0]["columns"] = 5


def _pooled_twice(root: dict[str, Any]) -> None:
    operations = root["stages"][0]["operations"]
    place = next(k for k, op in enumerate(operations) if op["kind"] == "pool")
    again = {"kind": "pool", "inputs": [place + 1], "pooling": "max", "columns": 8}
    operations.append(again)


def _both_kinds_of_rows(root: dict[str, Any]) -> None:
    operations = root["stages"][0]["operations"]
    place = next(k for k, op in enumerate(operations) if op["kind"] == "pool")
    operations.append({"kind": "add", "inputs": [0, place + 1]})


def _centred_graphs(root: dict[str, Any]) -> None:
    operations = root["stages"][0]["operations"]
    place = next(k for k, op in enumerate(operations) if op["kind"] == "pool")
    operations.append({"kind": "center_columns", "inputs": [place + 1]})


def _convolution_of_graphs(root: dict[str, Any]) -> None:
    last = root["layers"][-1]
    last |= {"kind": "gin"}


def _bits_of_buckets(root: dict[str, Any]) -> None:
    root["layers"][-1]["bits"]["embedding"] *= 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unknown_pooling, "pooling is 'median', which this runtime does not know"),
        (_other_width, "pool of 5 columns is given 8"),
        (_pooled_twice, "pool reads rows of graphs; it must read rows of nodes"),
        (_both_kinds_of_rows, "add reads rows of nodes and rows of graphs"),
        (_centred_graphs, "center_columns reads rows of graphs"),
        (_convolution_of_graphs, "lin: it reads rows of graphs, and needs edges"),
        (_bits_of_buckets, "embedding must be a list of 1 bit-widths"),
    ],
)
def test_headers_that_lie_are_refused_with_one_line(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    root = _root()
    header.parse(json.dumps(root))
    change(root)
    with pytest.raises(ArtifactError) as caught:
        header.parse(json.dumps(root))
    assert message in str(caught.value)


def _wide(columns: int) -> dict[str, Any]:
    """A model that pools a row of so many columns once more, for nothing."""
    root = _root()
    operations = root["stages"][0]["operations"]
    operations += [{"kind": "concatenate", "inputs": [0] * (columns // 8)}]
    pool = {"kind": "pool", "inputs": [len(operations)], "pooling": "max", "columns": columns}
    operations.append(pool)
    return root


def test_the_cost_of_loading_counts_what_is_pooled() -> None:
    costs = [needed_bytes(header.parse(json.dumps(_wide(columns)))) for columns in (80, 160)]
    assert costs[1] - costs[0] >= 80 * 4
