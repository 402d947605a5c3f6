"""Some nodes: the logits that they have among all, whichever way they are computed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agreement import always_neighborhoods
from cases import MODELS, Case, make_case

from sgq_auto.graphs import PreparedData, RawGraph
from sgq_auto.packed.backends import Engine, NumpyEngine, fastest_engine
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph

_ENGINES: list[Engine] = [NumpyEngine(), fastest_engine()]
_MODELS = list(MODELS)
_FEW, _MANY = [7, 0, 299, 7], list(range(299, 0, -7))


@pytest.mark.sampled
@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("model", _MODELS)
@pytest.mark.parametrize("nodes", [_FEW, _MANY])
def test_a_neighborhood_gives_the_logits_of_all(
    model: str, engine: Engine, nodes: list[int], small_case: Callable[[str], Case]
) -> None:
    packed = replace(small_case(model).packed, engine=engine)
    with always_neighborhoods():
        found = packed.predict(nodes, threads=2)
    np.testing.assert_allclose(found, packed.predict()[nodes], atol=1e-6)


@pytest.mark.sampled
@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("model", _MODELS)
def test_dense_features_are_taken_row_by_row(
    model: str, engine: Engine, dense: PreparedData
) -> None:
    packed = replace(make_case(dense.graph, model, [1, 3, 8, 32]).packed, engine=engine)
    with always_neighborhoods():
        found = packed.predict(_FEW)
    np.testing.assert_allclose(found, packed.predict()[_FEW], atol=1e-6)


@pytest.mark.parametrize("model", _MODELS)
def test_some_nodes_of_a_new_graph(
    model: str, small_case: Callable[[str], Case], synthetic_raw: RawGraph
) -> None:
    packed, raw = small_case(model).packed, synthetic_raw
    given: dict[str, Any] = {"x": raw.x.toarray(), "edge_index": raw.edge_index}
    expected = packed.predict(**given)
    np.testing.assert_allclose(packed.predict(_FEW, **given), expected[_FEW], atol=1e-6)
    with always_neighborhoods():
        found = packed.predict(_FEW, **given)
    np.testing.assert_allclose(found, expected[_FEW], atol=1e-6)


def _computed(packed: Any, nodes: list[int], monkeypatch: pytest.MonkeyPatch) -> PackedGraph:
    graphs: list[PackedGraph] = []

    def watched(graph: PackedGraph, *rest: Any) -> Inference:
        graphs.append(graph)
        return Inference(graph, *rest)

    monkeypatch.setattr("sgq_auto.packed.runtime.packed_model.Inference", watched)
    packed.predict(nodes)
    return graphs[0]


def test_much_of_a_graph_is_all_of_it(
    cora: PreparedData, small_case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = make_case(cora.graph, "gcn", [2]).packed
    assert _computed(packed, [0], monkeypatch).spec.num_nodes < 400
    assert _computed(packed, list(range(0, 2708, 9)), monkeypatch) is packed.graph
    small = small_case("gcn").packed
    assert _computed(small, [0], monkeypatch) is small.graph


def test_numbers_of_any_kind_are_features_of_a_new_graph(
    small_case: Callable[[str], Case],
) -> None:
    packed, edges = small_case("gcn").packed, np.array([[0, 1], [1, 0]])
    ones = packed.predict(x=np.ones((3, 80)), edge_index=edges)
    for dtype in (bool, np.int64, np.uint8, np.float16, np.float32):
        again = packed.predict(x=np.ones((3, 80), dtype), edge_index=edges)
        np.testing.assert_array_equal(again, ones)
    assert np.isfinite(packed.predict(x=np.full((3, 80), 1e300), edge_index=edges)).all()
    x = np.zeros((3, 80))
    x[2, 79] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite"):
        packed.predict([0], x=x, edge_index=edges)
    with pytest.raises(ValueError, match="x holds object"):
        packed.predict(x=np.ones((3, 80), object), edge_index=edges)
