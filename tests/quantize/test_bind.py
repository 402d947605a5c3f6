"""One prepared model runs on other graphs by the same ranges."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph
from sgq_auto.graphs.many_graphs import part, rows_of_graphs
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import FULL_PRECISION, BitAllocation
from sgq_auto.quantize import RangeMode, bind, freeze_ranges, prepare, trace_spec
from sgq_auto.training import predict
from weighted_graphs import WeightedNet

_WIDTH = 8


class _Net(nn.Module):
    """Two convolutions, and a residual that is held past the second one."""

    def __init__(self, conv1: nn.Module, conv2: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv1, conv2
        self.last = nn.Linear(_WIDTH, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        hidden = self.conv1(x, edge_index).relu()
        out: Tensor = self.last(hidden + self.conv2(hidden, edge_index).relu())
        return out


def _mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, _WIDTH))


_CONVS = {
    "gcn": lambda width: pyg.GCNConv(width, _WIDTH),
    "gat": lambda width: pyg.GATConv(width, _WIDTH),
    "gatv2": lambda width: pyg.GATv2Conv(width, _WIDTH, add_self_loops=False),
    "sage": lambda width: pyg.SAGEConv(width, _WIDTH),
    "sage_max": lambda width: pyg.SAGEConv(width, _WIDTH, aggr="max"),
    "gin": lambda width: pyg.GINConv(_mlp(width)),
    "tag": lambda width: pyg.TAGConv(width, _WIDTH),
    "generic": lambda width: pyg.LEConv(width, _WIDTH),
}


def _net(kind: str, features: int) -> nn.Module:
    torch.manual_seed(0)
    return _Net(_CONVS[kind](features), _CONVS[kind](_WIDTH))


def _bits(model: nn.Module, graph: Graph, bits: int) -> BitAllocation:
    spec = trace_spec(prepare(model, graph), graph)
    return BitAllocation.uniform(FootprintModel(spec, graph.spec).sites(), bits)


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore::sgq_auto.quantize.GenericLayerWarning")
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("bits", [3, FULL_PRECISION])
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("kind", _CONVS)
def test_a_part_is_predicted_as_in_the_whole(
    kind: str, mode: RangeMode, bits: int, sparse: bool
) -> None:
    graph = prepared_graphs(random_graphs(7, seed=1, sparse=sparse))
    model = _net(kind, graph.features.num_features)
    prepared = prepare(model, graph, _bits(model, graph, bits), mode)
    freeze_ranges(prepared)
    whole = predict(prepared, graph)
    numbers = torch.tensor([1, 4, 5])
    found = predict(prepared, part(graph, numbers))
    torch.testing.assert_close(found, whole[rows_of_graphs(graph, numbers)])
    assert torch.equal(predict(prepared, graph), whole)


@pytest.mark.parametrize("bits", [2, 4])
def test_weights_of_edges_have_the_ranges_of_the_own_graph(bits: int) -> None:
    graph = prepared_graphs(random_graphs(7, seed=2, weighted=True))
    features = graph.features.num_features
    torch.manual_seed(0)
    model = WeightedNet(pyg.GCNConv(features, _WIDTH), pyg.GraphConv(_WIDTH, 3))
    prepared = prepare(model, graph, _bits(model, graph, bits))
    whole, numbers = predict(prepared, graph), torch.tensor([0, 3])
    found = predict(prepared, part(graph, numbers))
    torch.testing.assert_close(found, whole[rows_of_graphs(graph, numbers)])


def test_a_bucket_that_only_other_graphs_have_takes_the_range_of_the_nearest() -> None:
    raws = random_graphs(7, seed=3)
    for k in range(6):
        # No node without an edge: bucket 0 is empty, and so is the last one.
        n = raws[k].num_nodes
        ring = torch.stack([torch.arange(n), torch.arange(n).roll(1)])
        edges = torch.cat([ring, ring.flip(0)], 1).unique(dim=1).numpy()
        raws[k] = replace(raws[k], edge_index=edges)
    buckets = BucketSettings((1, 2))
    own = prepared_graphs(raws[:6], buckets=buckets)
    assert own.bucket_nodes[0] == own.bucket_nodes[2] == 0
    other = prepared_graphs(raws[3:], buckets=buckets)
    assert min(other.bucket_nodes) > 0
    model = _net("gcn", own.features.num_features)
    prepared = prepare(model, own, _bits(model, own, 4))
    quantizer = prepared.conv1.transformed_quantizer
    step, offset = quantizer.ranges()
    assert torch.equal(step, step[1].expand(3))
    assert torch.equal(offset, offset[1].expand(3))
    full = predict(prepare(model, other), other)
    difference = (predict(prepared, other) - full).abs().mean()
    assert difference < 0.2 * full.abs().mean()


def test_a_copy_is_bound_on_its_own() -> None:
    graph = prepared_graphs(random_graphs(5, seed=4))
    prepared = prepare(_net("gcn", graph.features.num_features), graph)
    whole = predict(prepared, graph)
    copied = copy.deepcopy(prepared)
    bind(copied, part(graph, torch.tensor([0])))
    with torch.no_grad():
        assert torch.equal(prepared(graph.features, graph.adj_t), whole)


def test_what_was_made_of_a_graph_goes_with_it() -> None:
    graph = prepared_graphs(random_graphs(5, seed=4))
    prepared = prepare(_net("gcn", graph.features.num_features), graph)
    bound = prepared.conv1.quantizers.bound
    some = part(graph, torch.tensor([0]))
    predict(prepared, some)
    assert len(bound._kept) == 2
    bind(prepared, graph)
    del some
    assert len(bound._kept) == 1


def test_graphs_that_it_cannot_run_on_are_refused() -> None:
    raws = random_graphs(5, seed=5)
    graph = prepared_graphs(raws)
    prepared = prepare(_net("gcn", graph.features.num_features), graph)
    wider = prepared_graphs(random_graphs(5, seed=5, features=7))
    with pytest.raises(InputError, match=r"features a node: 7; the model was prepared for 6"):
        bind(prepared, wider)
    with pytest.raises(InputError, match=r"split points: \[4\]"):
        bind(prepared, prepared_graphs(raws, buckets=BucketSettings((4,))))
    with pytest.raises(InputError, match="sparse features: False"):
        bind(prepared, prepared_graphs(random_graphs(5, seed=5, sparse=False)))
    with pytest.raises(InputError, match="weights of edges: True"):
        bind(prepared, prepared_graphs(random_graphs(5, seed=5, weighted=True)))
    other = part(graph, torch.tensor([1]))
    with pytest.raises(InputError, match=r"bind\(model, graph\) first"):
        prepared(other.features, other.adj_t)
