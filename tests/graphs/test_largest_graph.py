"""The graph that sizes of a model for many graphs are at."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from many_graphs import POOLS, EveryLayer, drawn
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.packed import load, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.quantize import convert, device_sizes, prepare, trace_spec

_SIZE = (60, 300)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return drawn().prepared().graph


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return EveryLayer("gat", POOLS["mean"], 7)


def test_a_size_that_is_given_is_that_of_every_figure(
    graph: Graph, model: nn.Module, tmp_path: Path
) -> None:
    spec = trace_spec(prepare(model, graph), graph)
    usual, given = largest_graph(spec, graph), largest_graph(spec, graph, _SIZE)
    assert (given.footprints.graph.num_nodes, given.footprints.graph.num_edges) == _SIZE
    assert given.note is not None
    assert "60 nodes and 300 edges, as footprint.graph says" in given.note
    sites = given.footprints.sites()
    allocation = BitAllocation({site: (1, 3, 4, 8)[k % 4] for k, site in enumerate(sites)})
    prepared = prepare(model, graph, allocation)
    sized = given.footprints.graph
    save(convert(prepared, graph, sized=sized), tmp_path / "packed.safetensors")
    packed = load(tmp_path / "packed.safetensors")
    predicted = replace(given.footprints, device=device_sizes(prepared, graph, sized))
    assert packed.footprint() == given.footprints.packed(allocation)
    assert CModel(packed).footprint.ram_bytes == predicted.packed(allocation).ram_bytes
    assert packed.graph.spec.num_nodes == 60
    # What does not depend on the graph stays, and what a graph takes is more.
    smaller = usual.footprints.packed(allocation)
    assert packed.footprint().resident_bytes > smaller.resident_bytes
    assert packed.footprint().stored_bytes == smaller.stored_bytes


def test_the_size_of_the_largest_graph_is_as_if_none_were_given(
    graph: Graph, model: nn.Module
) -> None:
    spec = trace_spec(prepare(model, graph), graph)
    usual = largest_graph(spec, graph)
    known = usual.footprints.graph
    given = largest_graph(spec, graph, (known.num_nodes, known.num_edges))
    assert given.footprints == usual.footprints


def test_a_fixed_graph_has_its_own_size(synthetic: PreparedData, model: nn.Module) -> None:
    spec = trace_spec(prepare(model, drawn().prepared().graph), drawn().prepared().graph)
    with pytest.raises(InputError, match=r"footprint.graph=\[60, 300\]: it is for models of many"):
        largest_graph(spec, synthetic.graph, _SIZE)


def test_edges_both_ways_are_an_even_number(graph: Graph, model: nn.Module) -> None:
    spec = trace_spec(prepare(model, graph), graph)
    with pytest.raises(InputError, match=r"footprint.graph=\[60, 301\]: every edge goes both ways"):
        largest_graph(spec, graph, (60, 301))
