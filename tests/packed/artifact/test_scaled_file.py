"""Artifacts whose features are scaled: predictions in the user's units, sizes, and lies."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import random_allocation
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from signed_copies import Damage, rewritten

from joined_graphs import joined, random_graphs
from sgq_auto.errors import ArtifactError
from sgq_auto.graphs import BucketSettings, Graph, RawGraph, Split, prepare_graph
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.graphs.many_graphs.divide import divided
from sgq_auto.models import GCN
from sgq_auto.packed import FootprintModel, PackedModel, load, save
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.settings.standardize import Standardize

_UNITS = np.array([1, 1e4, 1e-3, 50, 1, 1])
_SHIFTS = np.array([0, 3e4, 0, -700, 0, 0])


def _graphs() -> list[RawGraph]:
    """Graphs whose columns have units of their own; the last two columns are 0 or 1."""
    raws = random_graphs(6, sparse=False, nodes=(12, 20))
    for k, raw in enumerate(raws):
        x = np.asarray(raw.x) * _UNITS + _SHIFTS
        x[:, 4:] = x[:, 4:] > 0
        raws[k] = replace(raw, x=x.astype(np.float32))
    return raws


def _prepared(raw: RawGraph, split: Split) -> Graph:
    scaled = Standardize.ON
    data = prepare_graph(raw, split, BucketSettings((3,)), normalize_rows=False, standardize=scaled)
    return divided(data).graph


def _one_graph() -> tuple[RawGraph, Graph]:
    whole, _ = joined(_graphs())
    nodes = np.arange(whole.num_nodes)
    whole = replace(whole, x=np.asarray(whole.x, np.float32))
    return whole, _prepared(whole, Split(nodes[::3], nodes[1::3], nodes[2::3]))


def _packed(graph: Graph, bits: list[int]) -> tuple[PackedModel, FootprintModel]:
    plain = GCN(graph.features.num_features, graph.num_classes, hidden=5)
    allocation = random_allocation(plain, graph, bits, seed=2)
    prepared = prepare(plain, graph, allocation)
    return convert(prepared, graph), largest_graph(trace_spec(prepared, graph), graph).footprints


@pytest.mark.parametrize("bits", [[1, 2, 4], [8, 16], [32]])
def test_a_node_in_the_users_units_gets_the_answer_of_the_stored_one(
    bits: list[int], tmp_path: Path
) -> None:
    raw, graph = _one_graph()
    packed, footprints = _packed(graph, bits)
    save(packed, tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.footprint() == footprints.packed(packed.allocation)
    for model in (packed, loaded, replace(loaded, engine=NumpyEngine())):
        own = model.predict()
        np.testing.assert_array_equal(own, packed.predict())
        given = model.predict(x=raw.x, edge_index=raw.edge_index)
        np.testing.assert_allclose(given, own, rtol=1e-5, atol=1e-5)
        some = model.predict([3, 1], x=raw.x.astype(np.float64), edge_index=raw.edge_index)
        np.testing.assert_allclose(some, own[[3, 1]], rtol=1e-5, atol=1e-5)


def test_other_graphs_are_given_in_the_users_units(tmp_path: Path) -> None:
    raws = _graphs()
    whole, block = joined(raws)
    whole = replace(whole, graph_of_node=block, x=np.asarray(whole.x, np.float32))
    parts = [np.flatnonzero(np.isin(block, part)) for part in ([0, 1], [2, 3], [4, 5])]
    graph = _prepared(whole, Split(*parts))
    packed, footprints = _packed(graph, [32])
    save(packed, tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.footprint() == footprints.packed(packed.allocation)
    scaling = graph.features.scaling
    assert scaling is not None
    held = replace(loaded, features=replace(loaded.features, scaling=None))
    for raw in raws:
        x = np.asarray(raw.x)
        own = loaded.predict(x=x, edge_index=raw.edge_index)
        by_hand = held.predict(x=scaling.of(x), edge_index=raw.edge_index)
        np.testing.assert_array_equal(own, by_hand)
        assert np.abs(own - held.predict(x=x, edge_index=raw.edge_index)).max() > 1


def test_scaling_is_counted_where_it_is_and_only_there() -> None:
    _, graph = _one_graph()
    _, footprints = _packed(graph, [4])
    features = replace(graph.spec.features, scaled=False)
    without = replace(footprints, graph=replace(graph.spec, features=features))
    allocation = _packed(graph, [4])[0].allocation
    scaled, plain = footprints.packed(allocation), without.packed(allocation)
    assert scaled.resident_bytes - plain.resident_bytes == 8 * 6
    assert scaled.stored_bytes - plain.stored_bytes == 8 * 6
    assert footprints.full_precision() == without.full_precision()
    assert footprints.sparse_fp32() == without.sparse_fp32()


def _change(name: str, change: Callable[[np.ndarray], object]) -> Damage:
    return lambda _, tensors: change(tensors[f"features.{name}"])


_DAMAGES: dict[str, Damage] = {
    "a factor of 0": _change("factor", lambda t: t.fill(0)),
    "a factor below 0": _change("factor", lambda t: t.__setitem__(2, -1)),
    "an infinite factor": _change("factor", lambda t: t.fill(np.inf)),
    "a mean that is no number": _change("mean", lambda t: t.fill(np.nan)),
    "no mean": lambda _, tensors: tensors.pop("features.mean"),
    "no factor": lambda _, tensors: tensors.pop("features.factor"),
    "another length": lambda _, t: t.update({"features.mean": t["features.mean"][:-1].copy()}),
    "scaling that is not said": lambda root, _: root["features"].pop("scaled"),
    "a word": lambda root, _: root["features"].update(scaled="yes"),
    "no": lambda root, _: root["features"].update(scaled=False),
}


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=list(_DAMAGES))
def test_a_lie_about_scaling_is_refused_in_one_line(damage: Damage, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save(_packed(_one_graph()[1], [2, 4])[0], path)
    with pytest.raises(ArtifactError) as refused:
        load(rewritten(path, tmp_path / "other.safetensors", damage))
    assert "\n" not in str(refused.value)


@given(
    x=arrays(np.float32, (5, 3), elements=st.floats(-1e6, 1e6, width=32)),
    mean=arrays(np.float32, 3, elements=st.floats(-1e6, 1e6, width=32)),
    factor=arrays(np.float32, 3, elements=st.floats(2**-20, 2**20, width=32)),
)
@settings(deadline=None)
def test_scaling_is_fp32_arithmetic(x: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> None:
    scaling = FeatureScaling.of_arrays(mean, factor)
    found = scaling.of(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, (x - mean) * factor)
    np.testing.assert_array_equal(found, scaling.of(x.astype(np.float64)))
