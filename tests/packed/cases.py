"""Trained quantized models, packed, and their forward pass in fp64: what the runtime computes."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch_geometric.nn import (
    APPNP,
    MLP,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    PNAConv,
    SAGEConv,
    SGConv,
    TAGConv,
    TransformerConv,
)

from sgq_auto.compute import TorchEngine
from sgq_auto.graphs import Graph
from sgq_auto.graphs.feature_matrix import SparseFeatures
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import PackedModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights
from sgq_auto.quantize import FakeQuantizer, MinMaxQuantizer, convert, prepare, trace_spec
from sgq_auto.quantize.quantized_layer import QuantizedLayer
from sgq_auto.training import FitSettings, fit

_FIT = FitSettings(epochs=3, learning_rate=0.02, weight_decay=0.0)


class TwoLayers(nn.Module):
    """Two layers with an ELU between them."""

    def __init__(self, conv1: nn.Module, conv2: nn.Module) -> None:
        super().__init__()
        self.conv1 = conv1
        self.conv2 = conv2

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = nn.functional.elu(self.conv1(x, edge_index))
        out: Tensor = self.conv2(x, edge_index)
        return out


class InitialResiduals(nn.Module):
    """GCNII: the first layer's input is what all of them read besides; then a norm's is not."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 9)
        self.conv1 = GCN2Conv(9, 0.2, 0.5, 1)
        self.conv2 = GCN2Conv(9, 0.3, 0.5, 2, shared_weights=False)
        self.norm = nn.LayerNorm(9)
        self.conv3 = GCN2Conv(9, 0.4, normalize=False)
        self.last = nn.Linear(9, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = x_0 = self.first(x).relu()
        for conv in (self.conv1, self.conv2):
            x = nn.functional.dropout(x, 0.2, self.training)
            x = conv(x, x_0, edge_index).relu()
        mean = (x + x_0) / 2
        x = self.conv3(self.norm(mean), mean, edge_index)
        out: Tensor = self.last(x.relu())
        return out


def _two(make: Callable[[int, int], tuple[nn.Module, nn.Module]]) -> Callable[..., nn.Module]:
    """Two layers, whose biases are no zeros."""

    def build(in_features: int, num_classes: int) -> nn.Module:
        model = TwoLayers(*make(in_features, num_classes))
        for name, parameter in model.named_parameters():
            if "bias" in name:
                nn.init.uniform_(parameter, -0.5, 0.5)
        return model

    return build


_SCALERS = ["identity", "amplification", "attenuation", "linear", "inverse_linear"]
_DEGREES = torch.tensor([1, 3, 5, 2, 1])

MODELS: dict[str, Callable[[int, int], nn.Module]] = {
    "gcn": GCN,
    "gat": GAT,
    "agnn": AGNN,
    "sage": SAGE,
    "gin": GIN,
    "graph_conv": _two(lambda i, o: (GraphConv(i, 8), GraphConv(8, o, aggr="mean", bias=False))),
    "gat_options": _two(
        lambda i, o: (
            GATConv(i, 4, heads=3, residual=True, add_self_loops=False),
            GATConv(12, o, heads=2, concat=False, residual=True, bias=False),
        )
    ),
    "gatv2": _two(
        lambda i, o: (
            GATv2Conv(i, 4, heads=3, residual=True),
            GATv2Conv(12, o, heads=2, concat=False, bias=False, add_self_loops=False),
        )
    ),
    "gatv2_shared": _two(
        lambda i, o: (
            GATv2Conv(i, 9, share_weights=True, add_self_loops=False),
            GATv2Conv(9, o, heads=2, concat=False, residual=True, share_weights=True),
        )
    ),
    "transformer": _two(
        lambda i, o: (
            TransformerConv(i, 4, heads=3),
            TransformerConv(12, o, heads=2, concat=False, beta=True),
        )
    ),
    "transformer_plain": _two(
        lambda i, o: (
            TransformerConv(i, 9, beta=True, bias=False),
            TransformerConv(9, o, root_weight=False),
        )
    ),
    "sage_max": _two(
        lambda i, o: (
            SAGEConv(i, 9, aggr="max"),
            SAGEConv(9, o, aggr="max", root_weight=False, normalize=True, bias=False),
        )
    ),
    "sage_many": _two(
        lambda i, o: (
            SAGEConv(i, 9, aggr=["mean", "min", "var"]),
            SAGEConv(9, o, aggr=["std", "sum"], project=True),
        )
    ),
    "sage_project": _two(
        lambda i, o: (
            SAGEConv(i, 9, project=True, normalize=True),
            SAGEConv(9, o, aggr="max", project=True, root_weight=False),
        )
    ),
    "sage_normalize": _two(
        lambda i, o: (SAGEConv(i, 9, normalize=True), GraphConv(9, o, aggr="max"))
    ),
    "pna": _two(
        lambda i, o: (
            PNAConv(i, 6, ["mean", "min", "max", "std"], _SCALERS[:3], _DEGREES, towers=2),
            PNAConv(6, o, ["sum", "var"], _SCALERS[2:], _DEGREES, train_norm=True),
        )
    ),
    "sgc": _two(lambda i, o: (SGConv(i, 9, K=4), SGConv(9, o, bias=False))),
    "appnp": _two(lambda i, o: (SGConv(i, o, K=2), APPNP(K=5, alpha=0.2))),
    "appnp_few": _two(
        lambda i, o: (TwoLayers(GCNConv(i, o), APPNP(K=2, alpha=0.5)), APPNP(K=1, alpha=0.1))
    ),
    "tag": _two(lambda i, o: (TAGConv(i, 9, K=4), TAGConv(9, o, K=1, bias=False))),
    "gcn2": InitialResiduals,
    "gin_sums": _two(
        lambda i, o: (
            GINConv(nn.Identity(), eps=0.3, train_eps=True),
            GINConv(MLP([i, 6, o], act="elu", norm=None), train_eps=True),
        )
    ),
}

# How often messages are passed in each; twice in others.
HOPS = {"sgc": 5, "appnp": 7, "appnp_few": 4, "tag": 5, "gcn2": 3}


@dataclass(frozen=True, eq=False)
class Case:
    """A trained quantized model, its graph, and the packed model of both."""

    graph: Graph
    prepared: nn.Module
    allocation: BitAllocation
    packed: PackedModel


def make_case(graph: Graph, model: str, ladder: list[int], seed: int = 0) -> Case:
    torch.manual_seed(seed)
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
    model = copy.deepcopy(prepared)  # Nothing that was made of the graph goes with a copy.
    for module in list(model.modules()):
        if isinstance(module, QuantizedLayer):
            module.engine = TorchEngine()
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
    ends = quantizer.groups.ends
    sizes = ends.diff(prepend=ends.new_zeros(1)).tolist()
    frozen = MinMaxQuantizer(quantizer.bits, sizes, TorchEngine())
    step, offset = quantizer.ranges()
    frozen.step.copy_(step)
    frozen.offset.copy_(offset)
    frozen.frozen = True
    return frozen
