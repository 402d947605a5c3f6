"""Models with norms, residuals and jumping knowledge: packed, they compute what they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from basic_models import BasicModel, Deep, all_models
from cases import exact_logits, held_bytes, random_allocation, trained
from torch import nn

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.packed import load, save
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.backends import NumpyEngine, fastest_engine
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import convert, prepare

_LADDER = [1, 2, 3, 4, 6, 8, 32]
_ENGINES = (NumpyEngine(), fastest_engine())
# Each kind with each norm, each way of jumping and each activation at least once.
_SAMPLE = [
    BasicModel("gcn", "batch", None, "relu", residual=True),
    BasicModel("gcn", "layer", "max", "gelu"),
    BasicModel("sage", "graph", "cat", "elu"),
    BasicModel("sage", "batch", "max", "leaky_relu"),
    BasicModel("gin", "layer", None, "relu"),
    BasicModel("gin", "batch", "cat", "gelu", residual=True),
    BasicModel("gat", "graph", "max", "elu"),
    BasicModel("gatv2", "batch", "cat", "leaky_relu", residual=True),
    BasicModel("gat", None, "cat", "relu"),
]


def _check(plain: nn.Module, graph: Graph, path: Path) -> None:
    """Full precision is PyG's; at random bits, the packed model is the fake-quantized one."""
    plain.eval()
    prepared = prepare(plain, graph)
    with torch.no_grad():
        expected = plain(graph.features.dense(), graph.adj_t.edge_index)
        given = prepared(graph.features, graph.adj_t)
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)
    allocation = random_allocation(plain, graph, _LADDER, 0)
    prepared = trained(plain, graph, allocation)
    save(convert(prepared, graph), path)
    loaded = load(path)
    assert loaded.allocation == allocation
    footprint = loaded.footprint()
    assert footprint.stored_bytes == sum(t.nbytes for t in tensors_of(loaded).values())
    held = held_bytes(loaded)
    logits = exact_logits(prepared, graph).numpy()
    for engine in _ENGINES:
        inference = Inference(loaded.graph, loaded.features, engine)
        made = run_program(loaded.parts, inference)
        assert footprint.resident_bytes == held + sum(inference.made.values())
        # Logits tell the classes whether or not the model takes their logarithmic softmax.
        made, wanted = (torch.from_numpy(x).double().log_softmax(1) for x in (made, logits))
        torch.testing.assert_close(made, wanted, atol=1e-4, rtol=0)
        assert torch.equal(made.argmax(1), wanted.argmax(1))
    nodes = [3, 0, loaded.num_nodes - 1]
    some = replace(loaded, engine=_ENGINES[1])
    np.testing.assert_allclose(some.predict(nodes), some.predict(threads=2)[nodes], atol=1e-5)


@pytest.mark.sampled
@pytest.mark.parametrize("model", _SAMPLE, ids=str)
def test_basic_models(model: BasicModel, synthetic: PreparedData, tmp_path: Path) -> None:
    graph = synthetic.graph
    plain = model.make(graph.features.num_features, graph.num_classes)
    _check(plain, graph, tmp_path / "model.safetensors")


@pytest.mark.parametrize("data", ["synthetic", "dense"])
def test_blocks_that_keep_what_no_layer_reads(
    data: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    graph = request.getfixturevalue(data).graph
    _check(
        Deep(graph.features.num_features, graph.num_classes), graph, tmp_path / "deep.safetensors"
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", all_models(), ids=str)
def test_every_basic_model_on_cora(model: BasicModel, cora: PreparedData, tmp_path: Path) -> None:
    graph = cora.graph
    plain = model.make(graph.features.num_features, graph.num_classes)
    _check(plain, graph, tmp_path / "model.safetensors")
