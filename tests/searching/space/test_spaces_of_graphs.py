"""The search space of a model that pools: what has rows of graphs has bits of its own."""

from dataclasses import replace

import numpy as np
import pytest

from many_graphs import POOLS, EveryLayer, drawn
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.packed import FootprintModel, Objective
from sgq_auto.packed.allocation import DEFAULT_LADDER
from sgq_auto.quantize import device_sizes, prepare, trace_spec
from sgq_auto.searching import Granularity, SearchSpace
from sgq_auto.searching.space.size_table import sizes_of

_OF_GRAPHS = {"convs.0.skip.embedding", "convs.1.skip.embedding", "lin.embedding"}


@pytest.fixture(scope="module")
def footprints() -> FootprintModel:
    graph, model = drawn().prepared().graph, EveryLayer("gcn", POOLS["mean"], 7)
    prepared = prepare(model, graph)
    footprints = largest_graph(trace_spec(prepared, graph), graph).footprints
    return replace(footprints, device=device_sizes(prepared, graph))


@pytest.mark.parametrize(
    ("granularity", "group", "others"),
    [
        (Granularity.TAQ, "embedding", 0),  # Nodes are in groups of their buckets.
        (Granularity.CWQ, "embedding", 16),
        (Granularity.LWQ, "lin", 1),  # And its weight.
        (Granularity.LWQ_CWQ, "lin.embedding", 0),
        (Granularity.LWQ_CWQ_TAQ, "lin.embedding", 0),
    ],
)
def test_groups_hold_what_is_pooled(
    granularity: Granularity, group: str, others: int, footprints: FootprintModel
) -> None:
    space = SearchSpace.build(footprints, granularity, DEFAULT_LADDER, Objective.RESIDENT_BYTES)
    named = {str(site) for site in space.groups[group]}
    assert named & _OF_GRAPHS
    assert len(named - _OF_GRAPHS) == others
    assert group in space.searched


@pytest.mark.parametrize("objective", list(Objective))
def test_sizes_of_many_allocations_are_those_of_the_footprint(
    objective: Objective, footprints: FootprintModel
) -> None:
    finest = Granularity.LWQ_CWQ_TAQ
    space = SearchSpace.build(footprints, finest, DEFAULT_LADDER, objective)
    table = sizes_of(footprints, space, objective)
    rng = np.random.default_rng(0)
    positions = rng.integers(0, len(DEFAULT_LADDER), size=(30, len(space.searched)))
    expected = [
        footprints.packed(space.allocation(space.params(row))).figure(objective)
        for row in positions.tolist()
    ]
    assert table(positions).tolist() == expected
