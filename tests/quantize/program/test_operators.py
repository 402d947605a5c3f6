"""Whatever happens between two layers: packed, it gives what torch gives."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GraphConv, norm

from packed.cases import exact_logits, random_allocation
from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.quantize import convert, prepare, trace_model

_WIDTH = 6


class Between(nn.Module):
    """Two linear layers with something between them: a function, or a module."""

    def __init__(self, between: Callable[..., Tensor], classes: int, features: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(features, _WIDTH)
        self.between = between
        with torch.no_grad():
            width = _between(self, torch.ones(12, _WIDTH)).size(1)
        self.lin2 = nn.Linear(width, classes)
        self.shift = nn.Parameter(torch.linspace(-1, 1, _WIDTH))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        del edge_index
        out: Tensor = self.lin2(_between(self, self.lin1(x)))
        return out


def _between(model: Between, x: Tensor) -> Tensor:
    made: Tensor = model.between(x)
    return made


def _moved(module: nn.Module) -> nn.Module:
    """A norm whose parameters and statistics are not those that it starts with."""
    generator = torch.Generator().manual_seed(1)
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data += 0.5 * torch.rand(tensor.shape, generator=generator)
    return module


def _halves(x: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return first * torch.sigmoid(second)


def _stacked(x: Tensor) -> list[Tensor]:
    return [x.relu(), x.tanh(), -x]


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "relu6": F.relu6,
    "leaky": lambda x: F.leaky_relu(x, 0.3),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": torch.selu,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "prelu": nn.PReLU(_WIDTH),
    "prelu-one": nn.PReLU(),
    "clamp": lambda x: x.clamp(-0.2, 0.4),
    "clamp-min": lambda x: x.clamp(min=0.1),
    "softmax": lambda x: x.softmax(dim=1),
    "normalize": F.normalize,
    "numbers": lambda x: (1 - x / 2) * 3 + 0.25,
    "in-place": lambda x: F.relu_(x.mul_(2.0)) - 1,
    "gate": _halves,
    "columns": lambda x: x[:, 1:4],
    "residual": lambda x: x + x.relu(),
    "concatenated": lambda x: torch.cat([x, x.relu(), x.tanh()], dim=-1),
    "maximum": lambda x: torch.maximum(x, -x),
    "stacked-max": lambda x: torch.stack(_stacked(x), dim=-1).max(dim=-1)[0],
    "stacked-mean": lambda x: torch.stack(_stacked(x)).mean(dim=0),
    "stacked-sum": lambda x: torch.stack(_stacked(x), dim=1).sum(dim=1),
    "batch": _moved(nn.BatchNorm1d(_WIDTH)),
    "batch-plain": _moved(nn.BatchNorm1d(_WIDTH, affine=False)),
    "batch-of-the-graph": _moved(nn.BatchNorm1d(_WIDTH, track_running_stats=False)),
    "pyg-batch": _moved(norm.BatchNorm(_WIDTH)),
    "layer": _moved(nn.LayerNorm(_WIDTH)),
    "layer-plain": nn.LayerNorm(_WIDTH, elementwise_affine=False),
    "pyg-layer": _moved(norm.LayerNorm(_WIDTH)),
    "pyg-layer-node": _moved(norm.LayerNorm(_WIDTH, mode="node")),
    "graph": _moved(norm.GraphNorm(_WIDTH)),
    "instance": norm.InstanceNorm(_WIDTH),
    "instance-affine": _moved(norm.InstanceNorm(_WIDTH, affine=True, track_running_stats=True)),
    "pair": norm.PairNorm(scale=2.0),
    "pair-individually": norm.PairNorm(scale_individually=True),
    "mean-subtraction": norm.MeanSubtractionNorm(),
    "diff-group": _moved(norm.DiffGroupNorm(_WIDTH, groups=3, lamda=0.3)),
    "two-norms": nn.Sequential(norm.PairNorm(), nn.ReLU(), _moved(norm.GraphNorm(_WIDTH))),
}


@pytest.mark.parametrize("name", _OPERATIONS)
def test_it_is_packed_as_torch_computes_it(name: str, synthetic: PreparedData) -> None:
    graph = synthetic.graph
    torch.manual_seed(0)
    plain = Between(_OPERATIONS[name], graph.num_classes, graph.features.num_features).eval()
    full = prepare(plain, graph)
    with torch.no_grad():
        expected = plain(graph.features.dense(), graph.adj_t.edge_index)
        torch.testing.assert_close(full(graph.features, graph.adj_t), expected)
    prepared = prepare(plain, graph, random_allocation(plain, graph, [4, 8, 32], 0))
    packed = convert(prepared, graph)
    made = torch.from_numpy(packed.predict()).double()
    differences = (made - exact_logits(prepared, graph)).abs().amax(dim=1)
    # A batch norm is folded into fp32: a value on the border of two codes may get the other one.
    assert (differences < 1e-4).double().mean() > 0.99
    assert packed.footprint() == packed.footprints.packed(packed.allocation)


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (lambda x: x.cumsum(dim=1), "cumsum after lin1: the packed runtime has no such operation"),
        (lambda x: x.mean(dim=0, keepdim=True) + x, "mean after lin1: it reduces something else"),
        (lambda x: x / (1 + x.relu()), "div after lin1: it divides by an embedding"),
        (lambda x: x / 0, "div after lin1: it combines an embedding with a number that is not"),
        (lambda x: x + torch.tensor([torch.inf] * 6), "add after lin1: it combines an embedding"),
        (lambda x: x[torch.arange(x.size(0))], "index after lin1"),
        (lambda x: torch.cat([x[:2], x[2:]]), "slice after lin1: it takes some of the nodes"),
        (nn.Softplus(beta=3), "Softplus between (softplus) after lin1: its beta is not 1"),
        (nn.CELU(0.5), "CELU between"),
    ],
)
def test_what_no_operation_does_is_named(
    between: Callable[..., Any], said: str, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    plain = Between(between, graph.num_classes, graph.features.num_features)
    prepared = prepare(plain, graph)
    assert said in trace_model(prepared, graph).unpackable
    with pytest.raises(InputError, match="cannot pack "):
        convert(prepared, graph)


class OfGraph(nn.Module):
    """A layer, something that depends on the graph, and another layer."""

    def __init__(self, between: Callable[..., Tensor], classes: int, features: int) -> None:
        super().__init__()
        self.conv = GraphConv(features, _WIDTH)
        self.lin = nn.Linear(_WIDTH, classes)
        self.between = between

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.lin(self.between(self.conv(x, edge_index), x, edge_index))
        return out


_OF_GRAPH: dict[str, Callable[..., Tensor]] = {
    "nodes": lambda h, x, _: h * (100 / x.size(0)),
    "edges": lambda h, _, e: h * (e.size(1) / h.size(0)),
    "largest": lambda h, *_: h / h.detach().abs().max().item(),
    "largest feature": lambda h, x, _: h / float(x.abs().max()),
    "a branch of values": lambda h, x, _: h.relu() if x.max() > 0.17 else h.tanh(),
    "a branch of sizes": lambda h, x, _: h.relu() if x.size(0) > 200 else h.tanh(),
}


@pytest.mark.parametrize("between", _OF_GRAPH.values(), ids=list(_OF_GRAPH))
def test_a_number_that_is_read_off_the_graph_is_not_kept(
    between: Callable[..., Tensor], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    prepared = prepare(OfGraph(between, graph.num_classes, graph.features.num_features), graph)
    before = prepared(graph.features, graph.adj_t)
    with pytest.raises(InputError, match=r"cannot pack .* does something else, because it"):
        convert(prepared, graph)
    # It still runs on its own graph.
    torch.testing.assert_close(prepared(graph.features, graph.adj_t), before)


def test_what_nothing_needs_is_left_out(synthetic: PreparedData) -> None:
    graph = synthetic.graph

    def wasteful(x: Tensor) -> Tensor:
        x.cumsum(dim=0).sin()  # Cannot be packed, and is not used.
        return torch.cat([x.tanh(), x.relu()], dim=1)[:, _WIDTH:]

    plain = Between(wasteful, graph.num_classes, graph.features.num_features)
    program = trace_model(prepare(plain, graph), graph).program
    assert program is not None
    assert [op.kind for op in program.stages[0].operations] == [
        "activate",
        "activate",
        "concatenate",
        "columns",
    ]
