"""What holds of weights of edges and of their features alike: exact bytes, and one answer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from agreement import always_neighborhoods
from cases import exact_logits, held_bytes, random_allocation, trained
from torch import nn

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.backends import Engine, NumpyEngine, fastest_engine
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import convert

ENGINES: list[Engine] = [NumpyEngine(), fastest_engine()]
LADDERS = [[1, 2, 3, 4, 6, 8], [2, 5, 7, 11, 16, 32]]


def packed_through_file(
    make: Callable[[str, int, int], nn.Module],
    graph: Graph,
    net: str,
    ladder: list[int],
    path: Path,
) -> tuple[PackedModel, np.ndarray]:
    """A model that is trained at random bits, through its file, and its logits in fp64.

    Args:
        make: Makes a model of a name, from its numbers of features and classes.
        graph: Its graph.
        net: The name.
        ladder: The bits that are drawn from.
        path: The file.
    """
    # Other seeds have a node whose two largest logits are equal in fp32.
    torch.manual_seed(1)
    plain = make(net, graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, ladder, seed=0)
    made = trained(plain, graph, allocation)
    save(convert(made, graph), path)
    loaded = load(path)
    assert loaded.allocation == allocation
    assert loaded.footprint() == loaded.footprints.packed(allocation)
    return loaded, exact_logits(made, graph).numpy()


def check_bytes_and_logits(model: PackedModel, expected: np.ndarray) -> None:
    """Invariants 1 and 2, for every engine."""
    footprint = model.footprint()
    assert footprint.stored_bytes == sum(t.nbytes for t in tensors_of(model).values())
    held = held_bytes(model)
    for engine in ENGINES:
        inference = Inference(model.graph, model.features, engine)
        logits = run_program(model.parts, inference)
        assert footprint.resident_bytes == held + sum(inference.made.values())
        assert np.abs(logits - expected).max() < 1e-4
        np.testing.assert_array_equal(logits.argmax(1), expected.argmax(1))


def check_graph_given_anew(model: PackedModel, data: PreparedData, name: str) -> None:
    """Its own graph as a new one gives the same logits: of all nodes, and of some.

    Args:
        model: The model.
        data: Its graph.
        name: The argument of ``predict`` that the values of edges are.
    """
    graph = data.graph
    x = np.empty(graph.features.shape, np.float32)
    x[graph.node_order.numpy()] = replace(graph.features, normalize_rows=False).dense().numpy()
    assert data.edge_index is not None
    assert data.edge_weight is not None
    nodes = np.array([5, 0, 17])
    given: dict[str, Any] = {"x": x, "edge_index": data.edge_index, name: data.edge_weight}
    for engine in ENGINES:
        own = replace(model, engine=engine)
        expected = own.predict()
        np.testing.assert_allclose(own.predict(**given), expected, atol=1e-6)
        np.testing.assert_allclose(own.predict(threads=2), expected, atol=1e-6)
        with always_neighborhoods():
            np.testing.assert_allclose(own.predict(nodes), expected[nodes], atol=1e-6)
            np.testing.assert_allclose(own.predict(nodes, **given), expected[nodes], atol=1e-6)
