"""The counts of a graph of another size."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from many_graphs import POOLS, EveryLayer, drawn
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.packed import GraphSpec
from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec
from sgq_auto.packed.sizes.resized_graph import resized
from sgq_auto.quantize import prepare, trace_spec


@pytest.fixture(scope="module")
def spec() -> GraphSpec:
    graph, model = drawn().prepared().graph, EveryLayer("gcn", POOLS["mean"], 7)
    return largest_graph(trace_spec(prepare(model, graph), graph), graph).footprints.graph


def test_its_own_size_changes_nothing(spec: GraphSpec) -> None:
    weighted = replace(
        spec, weights=EdgeWeightSpec(True, (spec.num_edges // 2, 0, 0, 0), columns=3)
    )
    for each in (spec, weighted):
        assert resized(each, each.num_nodes, each.num_edges) == each


@given(nodes=st.integers(20, 5000), share=st.floats(0, 0.05))
def test_counts_add_up_to_what_was_asked(nodes: int, share: float) -> None:
    graph = drawn().prepared().graph
    known = replace(graph.spec, inductive=True, symmetric=True)
    edges = int(share * nodes * (nodes - 1) / 2) * 2
    made = resized(known, nodes, edges)
    assert (made.num_nodes, made.num_edges) == (nodes, edges)
    assert sum(made.bucket_out_edges) == sum(made.bucket_in_edges) == nodes + edges
    assert edges / nodes <= made.max_in_degree < nodes
    for count, old in zip(made.bucket_nodes, known.bucket_nodes, strict=True):
        assert abs(count - nodes * old / known.num_nodes) < 1


def test_edges_that_go_both_ways_are_even(spec: GraphSpec) -> None:
    assert spec.symmetric
    with pytest.raises(ValueError, match="both ways"):
        resized(spec, 30, 41)
