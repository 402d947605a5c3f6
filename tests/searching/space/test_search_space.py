"""Which sites share bits, and which bits are searched."""

from dataclasses import replace

import pytest

from sgq_auto.graphs import PreparedData
from sgq_auto.models import AGNN, GAT, GCN
from sgq_auto.packed import FootprintModel, Objective
from sgq_auto.packed.allocation import FEATURES, Component
from sgq_auto.quantize import prepare, trace_spec
from sgq_auto.searching import Granularity, SearchSpace

LADDER = (1, 2, 4)


def footprints(model_class: type, data: PreparedData) -> FootprintModel:
    graph = data.graph
    model = model_class(graph.features.num_features, graph.num_classes)
    return FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec)


@pytest.mark.parametrize(
    ("granularity", "groups"),
    [
        (Granularity.UNIFORM, {"all"}),
        (Granularity.LWQ, {"features", "conv1", "conv2"}),
        (Granularity.CWQ, {"embedding", "attention", "weight"}),
        (Granularity.TAQ, {"bucket0", "bucket1", "bucket2", "bucket3", "weight"}),
        (
            Granularity.LWQ_CWQ,
            {"features.embedding"}
            | {f"conv{k}.{c}" for k in (1, 2) for c in ("embedding", "attention", "weight")},
        ),
    ],
)
def test_groups_of_a_granularity(
    granularity: Granularity, groups: set[str], cora: PreparedData
) -> None:
    sizes = footprints(GAT, cora)
    space = SearchSpace.build(sizes, granularity, LADDER, Objective.RESIDENT_BYTES)
    assert set(space.groups) == groups
    # Binary features take the same bytes at any bits.
    assert set(space.searched) == groups - {"features", "features.embedding"}
    assert {s for sites in space.groups.values() for s in sites} == set(sizes.sites())


def test_the_finest_granularity_gives_every_site_its_own_bits(cora: PreparedData) -> None:
    sizes = footprints(GAT, cora)
    space = SearchSpace.build(sizes, Granularity.LWQ_CWQ_TAQ, LADDER, Objective.RESIDENT_BYTES)
    assert all(len(sites) == 1 for sites in space.groups.values())
    assert len(space.searched) == len(sizes.sites()) - 4 == 18


def test_bits_that_cost_nothing_are_not_searched_but_the_widest(cora: PreparedData) -> None:
    sizes = footprints(GCN, cora)
    space = SearchSpace.build(sizes, Granularity.CWQ, LADDER, Objective.RESIDENT_BYTES)
    assert set(space.searched) == {"embedding", "weight"}
    allocation = space.allocation({"embedding": 0, "weight": 1})
    bits = {site.component: width for site, width in allocation.items()}
    assert bits == {Component.EMBEDDING: 1, Component.ATTENTION: 4, Component.WEIGHT: 2}


def test_binary_features_alone_are_not_searched_but_the_narrowest(cora: PreparedData) -> None:
    sizes = footprints(AGNN, cora)
    space = SearchSpace.build(sizes, Granularity.LWQ_CWQ_TAQ, LADDER, Objective.RESIDENT_BYTES)
    features = {f"features.embedding.{bucket}" for bucket in range(4)}
    assert set(space.groups) - set(space.searched) == features
    widest = space.allocation(dict.fromkeys(space.searched, 2)).by_name()
    assert {name for name, bits in widest.items() if bits == 1} == features
    assert set(widest.values()) == {1, 4}


def test_gcn_attention_is_searched_where_the_objective_counts_it(cora: PreparedData) -> None:
    sizes = footprints(GCN, cora)
    space = SearchSpace.build(sizes, Granularity.CWQ, LADDER, Objective.SGQUANT_BYTES)
    assert "attention" in space.searched
    assert "weight" not in space.searched


def test_uniform_allocations_come_from_wide_to_narrow(cora: PreparedData) -> None:
    sizes = footprints(GAT, cora)
    space = SearchSpace.build(sizes, Granularity.LWQ_CWQ, LADDER, Objective.RESIDENT_BYTES)
    uniform = [space.allocation(params) for params in space.uniform()]
    widths = [{b for s, b in bits.items() if s.layer != FEATURES} for bits in uniform]
    assert widths == [{4}, {2}, {1}]
    assert set(space.smallest().values()) == {1}


def test_features_that_differ_are_searched_on_their_own(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    spec = replace(graph.spec.features, bucket_constant=(False, True, False, False))
    sizes = footprints(GCN, synthetic)
    sizes = replace(sizes, graph=replace(graph.spec, features=spec))
    space = SearchSpace.build(sizes, Granularity.LWQ_CWQ_TAQ, LADDER, Objective.RESIDENT_BYTES)
    features = {name for name in space.searched if name.startswith("features.")}
    assert features == {f"features.embedding.{bucket}" for bucket in (0, 2, 3)}
