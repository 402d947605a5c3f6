"""What layers read besides their input has the codes of whatever holds it: one for all layers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCN2Conv

from packed.cases import exact_logits, random_allocation, trained
from sgq_auto.graphs import PreparedData
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_model, trace_spec
from sgq_auto.quantize.layers.multi_hop.gcn2 import QuantizedGCN2Conv
from sgq_auto.training import predict


class Gcnii(nn.Module):
    """Three layers that read one more embedding, by position or by name.

    Args:
        start: What that is: the first layer's input too, of a norm apart, or the node features.
    """

    def __init__(self, features: int, classes: int, start: str) -> None:
        super().__init__()
        width = features if start == "features" else 6
        self.start = start
        self.lin1, self.lin2 = nn.Linear(features, width), nn.Linear(width, classes)
        self.convs = nn.ModuleList(GCN2Conv(width, 0.3, 0.5, k) for k in (1, 2, 3))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = x_0 = self.lin1(x).relu()
        if self.start == "features":
            x_0 = x
        elif self.start == "apart":
            h = 2 * x_0 + 1
        h = self.convs[0](h, x_0, edge_index)
        h = nn.functional.dropout(h, 0.2, self.training)
        h = self.convs[1](x_0=x_0, x=h, edge_index=edge_index)
        h = self.convs[2](h.relu(), x_0, edge_index=edge_index)
        out: Tensor = self.lin2(h)
        return out


# The buffer that all layers read, by what they read.
_BUFFERS = {"input": "convs.0.input", "apart": "lin1.skip", "features": "features"}


def _net(start: str, data: PreparedData) -> Gcnii:
    torch.manual_seed(0)
    return Gcnii(data.graph.features.num_features, data.graph.num_classes, start)


@pytest.mark.parametrize("start", _BUFFERS)
def test_one_buffer_is_read_by_all_layers(start: str, synthetic: PreparedData) -> None:
    graph = synthetic.graph
    trace = trace_model(prepare(_net(start, synthetic), graph), graph)
    assert trace.program is not None
    further = {stage.layer: stage.further for stage in trace.program.stages}
    read = (_BUFFERS[start],)
    expected = {f"convs.{k}": read for k in range(3)} | {"lin1": (), "lin2": ()}
    assert further == expected
    assert [skip.name for skip in trace.flow.skips] == (["lin1.skip"] if start == "apart" else [])


@pytest.mark.parametrize("start", _BUFFERS)
def test_all_layers_read_the_same_codes(
    start: str, synthetic: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, plain = synthetic.graph, _net(start, synthetic)
    sites = trace_spec(prepare(plain, graph), graph).sites(len(graph.bucket_nodes))
    prepared = prepare(plain, graph, BitAllocation.uniform(sites, 1))
    read: list[Tensor] = []
    own = QuantizedGCN2Conv.read_held

    def watched(layer: Any, x: Tensor) -> Tensor:
        read.append(own(layer, x))
        return read[-1]

    monkeypatch.setattr(QuantizedGCN2Conv, "read_held", watched)
    predict(prepared, graph)
    assert len(read) == 3
    assert all(torch.equal(x, read[0]) for x in read)
    if start != "features":  # Zeros of sparse features have no code.
        parts = read[0].split(list(graph.bucket_nodes))
        assert all(part.unique().numel() <= 2 for part in parts)


@pytest.mark.parametrize("start", _BUFFERS)
def test_packed_layers_read_what_layers_in_training_do(start: str, synthetic: PreparedData) -> None:
    graph, plain = synthetic.graph, _net(start, synthetic)
    allocation = random_allocation(plain, graph, [1, 2, 3, 4, 8, 32], seed=0)
    prepared = trained(plain, graph, allocation)
    packed = convert(prepared, graph)
    assert packed.allocation == allocation
    np.testing.assert_allclose(packed.predict(), exact_logits(prepared, graph), atol=1e-4)


def test_the_embedding_is_held_until_the_last_layer_reads_it(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    prepared = prepare(_net("apart", synthetic), graph)
    (skip,) = trace_model(prepared, graph).flow.skips
    # Made when lin1 has run, read by the third convolution, the fourth layer.
    assert (skip.made, skip.read) == (1, 4)
