"""Trained quantized models, packed, and their forward pass in fp64: what the runtime computes."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch_geometric.nn import GraphConv

from sgq_auto.compute import TorchEngine
from sgq_auto.graphs import Graph
from sgq_auto.graphs.features import SparseFeatures
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import PackedModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.artifact.tensors import tensors_of
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.runtime.edge_weights import PackedEdgeWeights
from sgq_auto.quantize import FakeQuantizer, MinMaxQuantizer, convert, prepare, trace_spec
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.training import FitSettings, fit

_FIT = FitSettings(epochs=3, learning_rate=0.02, weight_decay=0.0)


class GraphConvNet(nn.Module):
    """GraphConv with sums, then with means and without a bias."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = GraphConv(in_features, 8)
        self.conv2 = GraphConv(8, num_classes, aggr="mean", bias=False)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x, edge_index).relu(), edge_index)
        return out


MODELS: dict[str, type[nn.Module]] = {
    "gcn": GCN,
    "gat": GAT,
    "agnn": AGNN,
    "sage": SAGE,
    "gin": GIN,
    "graph_conv": GraphConvNet,
}


@dataclass(frozen=True, eq=False)
class Case:
    """A trained quantized model, its graph, and the packed model of both."""

    graph: Graph
    prepared: nn.Module
    allocation: BitAllocation
    packed: PackedModel


def make_case(graph: Graph, model: str, ladder: list[int], seed: int = 0) -> Case:
    plain = MODELS[model](graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, ladder, seed)
    prepared = trained(plain, graph, allocation)
    return Case(graph, prepared, allocation, convert(prepared, graph, {"study": "a test"}))


def random_allocation(
    model: nn.Module, graph: Graph, ladder: list[int], seed: int
) -> BitAllocation:
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    generator = torch.Generator().manual_seed(seed)
    picks = torch.randint(len(ladder), (len(sites),), generator=generator).tolist()
    return BitAllocation({site: ladder[k] for site, k in zip(sites, picks, strict=True)})


def trained(model: nn.Module, graph: Graph, allocation: BitAllocation) -> nn.Module:
    prepared = prepare(model, graph, allocation)
    fit(prepared, graph, _FIT, seed=0)
    return prepared


def exact_logits(prepared: nn.Module, graph: Graph) -> Tensor:
    """Logits ``[N, classes]`` in fp64, nodes in their own order."""
    model = copy.deepcopy(prepared)
    ModelInput.of(model)._features = None
    for module in list(model.modules()):
        if isinstance(module, QuantizedLayer):
            module.engine = TorchEngine()
            if hasattr(module, "_adjacency"):
                module._adjacency = None
        for name, child in list(module.named_children()):
            if isinstance(child, FakeQuantizer):
                setattr(module, name, _frozen(child))
    pattern = replace(graph.adj_t, engine=TorchEngine())
    features = replace(graph.features, values=graph.features.values.double())
    if isinstance(features, SparseFeatures):
        features = replace(features, pattern=replace(features.pattern, engine=TorchEngine()))
    with torch.no_grad():
        rows = model.double()(features, pattern)
    logits = torch.empty_like(rows)
    logits[graph.node_order] = rows
    return logits


def held_bytes(model: PackedModel) -> int:
    """Bytes of every array that a loaded model holds; scales as they are stored."""
    edges, pattern = model.graph.edges, model.features.pattern
    assert isinstance(edges, EliasFanoRows)
    # As on disk, but for edges, of which a file has one direction where the graph is symmetric.
    other = ("edges.", "edge_weight.values")
    arrays = [t for name, t in tensors_of(model).items() if not name.startswith(other)]
    arrays += [edges.high, edges.low, edges.block_starts]
    if isinstance(pattern, BitmapRows | EliasFanoRows):
        arrays.append(pattern.block_starts)
    if any(layer.spec.attention_from_degrees for layer in model.layers):
        arrays.append(model.graph.degrees.stream)
    if isinstance(model.graph.weights, PackedEdgeWeights):
        arrays.append(model.graph.weights.codes.stream)
        if any(la.spec.edge_weights and la.spec.attention_from_degrees for la in model.layers):
            arrays.append(model.graph.weight_roots)
    return sum(array.nbytes for array in arrays)


def _frozen(quantizer: FakeQuantizer) -> MinMaxQuantizer:
    sizes = quantizer.ends.diff(prepend=quantizer.ends.new_zeros(1)).tolist()
    frozen = MinMaxQuantizer(quantizer.bits, sizes, TorchEngine())
    step, offset = quantizer.ranges()
    frozen.step.copy_(step)
    frozen.offset.copy_(offset)
    frozen.frozen = True
    return frozen
