"""Models of whole graphs: prepared, they are what PyG computes, and say what they cannot."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from many_graphs import (
    POOLS,
    EveryLayer,
    Graphs,
    OfData,
    OwnReadouts,
    PooledNet,
    drawn,
    moved_statistics,
    tu,
)
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.packed.allocation import BitAllocation, Component, Site
from sgq_auto.quantize import FakeQuantizer, in_order_of, prepare, run_plain, trace_model
from sgq_auto.task import Task
from sgq_auto.training import predict

_KINDS = ("gcn", "sage", "gin", "gat")


@pytest.fixture(scope="module")
def graphs() -> Graphs:
    return drawn()


@pytest.fixture(scope="module")
def graph(graphs: Graphs) -> Graph:
    return graphs.prepared().graph


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def _plain(model: nn.Module, graphs: Graphs) -> Tensor:
    arrays = graphs.x, graphs.edge_index, graphs.graph_of_node
    x, edges, batch = (torch.from_numpy(array) for array in arrays)
    out: Tensor = run_plain(copy.deepcopy(model).eval(), x, edges, None, batch)
    return out


def _check(model: nn.Module, graphs: Graphs, graph: Graph) -> None:
    moved_statistics(model)
    found = predict(prepare(model, graph), graph)
    assert found.shape[0] == graphs.num_graphs
    expected = _plain(model, graphs)
    # As a share of the largest output: sums over hundreds of nodes are large.
    unit = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found / unit, expected / unit, atol=1e-5, rtol=0)


@pytest.mark.sampled
@pytest.mark.parametrize("pool", list(POOLS))
@pytest.mark.parametrize("kind", _KINDS)
def test_prepared_models_of_graphs_compute_what_pyg_does(
    kind: str, pool: str, graphs: Graphs, graph: Graph
) -> None:
    _check(PooledNet(kind, POOLS[pool], 7), graphs, graph)
    _check(EveryLayer(kind, POOLS[pool], 7), graphs, graph)
    _check(EveryLayer(kind, POOLS[pool], 7, add=True), graphs, graph)
    _check(OwnReadouts(kind, POOLS[pool], 7), graphs, graph)


def test_a_model_of_data_pools_by_aggregations(graphs: Graphs, graph: Graph) -> None:
    _check(OfData(7), graphs, graph)


class _OfPygExamples(nn.Module):
    """As PyG's ``examples/mutag_gin.py`` writes it: the batch with its size, and PyG's MLPs."""

    def __init__(self) -> None:
        super().__init__()
        widths = [[7, 8, 8], [8, 8, 8]]
        self.convs = nn.ModuleList(pyg.GINConv(nn=pyg.MLP(w), train_eps=False) for w in widths)
        self.mlp = pyg.MLP([8, 8, 2], norm=None, dropout=0.5)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor, batch_size: int) -> Tensor:
        for conv in self.convs:
            x = conv(x, edge_index).relu()
        out: Tensor = self.mlp(pyg.global_add_pool(x, batch, size=batch_size))
        return out


def test_the_example_of_pyg_is_prepared_and_can_be_packed(graphs: Graphs, graph: Graph) -> None:
    model = _OfPygExamples()
    _check(model, graphs, graph)
    assert trace_model(prepare(model, graph), graph).unpackable == ""


@pytest.mark.parametrize("name", ["MUTAG", "PROTEINS"])
def test_prepared_models_of_real_graphs_compute_what_pyg_does(name: str, data_root: Path) -> None:
    folder = data_root / "TUDataset" / name / "raw"
    if not folder.is_dir():
        pytest.skip(f"no raw files of {name} in {folder}; set SGQ_AUTO_DATA")
    graphs = tu(folder)
    graph, features = graphs.prepared().graph, graphs.x.shape[1]
    for kind, pool in (("gin", "sum"), ("gcn", "mean"), ("sage", "max")):
        _check(EveryLayer(kind, POOLS[pool], features), graphs, graph)


def test_training_steps_are_those_of_pyg(graphs: Graphs, graph: Graph) -> None:
    model = EveryLayer("gin", pyg.global_mean_pool, 7)
    prepared = prepare(model, graph)
    labels = torch.from_numpy(graphs.labels)
    gradients = []
    arrays = graphs.x, graphs.edge_index, graphs.graph_of_node
    x, edges, batch = (torch.from_numpy(array) for array in arrays)
    for each, given in ((model, (x, edges, batch)), (prepared, (graph.features, graph.adj_t))):
        each.train()
        nn.functional.cross_entropy(each(*given), labels).backward()
        found = dict(each.named_parameters())
        gradients.append({name: found[name].grad for name, _ in model.named_parameters()})
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-4, rtol=1e-4)


def test_readouts_have_one_scale_group_and_one_site(graph: Graph) -> None:
    model = EveryLayer("gcn", pyg.global_add_pool, 7)
    spec = trace_model(prepare(model, graph), graph).spec
    sites = spec.sites(len(graph.bucket_nodes))
    own = [site for site in sites if site.component is Component.EMBEDDING]
    of_graphs = {str(site) for site in own if site.bucket is None}
    # What is pooled of the first two layers is held while the next one runs.
    assert of_graphs == {"lin.embedding", "convs.0.skip.embedding", "convs.1.skip.embedding"}
    assert len(own) - len(of_graphs) == 4 * len(graph.bucket_nodes)
    bits = BitAllocation.uniform(sites, 2)
    prepared = prepare(model, graph, bits)
    quantizer = prepared.lin.input_quantizer
    assert isinstance(quantizer, FakeQuantizer)
    assert quantizer.bits == (2,)
    pooled = torch.randn(graph.num_graphs, 24)
    assert quantizer(pooled).unique().numel() <= 4


def test_bits_of_what_is_pooled_change_the_output_alone_there(graph: Graph) -> None:
    model = PooledNet("gcn", pyg.global_mean_pool, 7)
    sites = trace_model(prepare(model, graph), graph).spec.sites(len(graph.bucket_nodes))
    full = dict.fromkeys(sites, 32)
    reference = predict(prepare(model, graph, BitAllocation(full)), graph)
    torch.testing.assert_close(reference, predict(prepare(model, graph), graph))
    fewer = full | {Site("lin1", Component.EMBEDDING): 1}
    assert not torch.allclose(
        predict(prepare(model, graph, BitAllocation(fewer)), graph), reference
    )


def test_the_batch_is_given_as_pyg_gives_it(graphs: Graphs) -> None:
    seen: list[Any] = []

    class Looks(PooledNet):
        def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
            seen.append((batch.clone(), batch.shape, batch.dtype, int(batch.max()), batch.numel()))
            return super().forward(x, edge_index, batch)

    graph = graphs.prepared().graph
    prepare(Looks("gcn", pyg.global_add_pool, 7), graph)
    expected, nodes = graph.graph_of_node, graph.num_nodes
    assert expected is not None
    assert torch.equal(seen[0][0], expected)
    assert seen[0][1:] == ((nodes,), torch.int64, graphs.num_graphs - 1, nodes)


def test_a_batch_by_default_is_given_for_graphs_alone(graphs: Graphs) -> None:
    given: list[Any] = []

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = pyg.GCNConv(7, 2)

        def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
            given.append(batch)
            out: Tensor = self.conv(x, edge_index)
            return out if batch is None else pyg.global_add_pool(out, batch)

    prepare(Looks(), graphs.prepared(Task.NODE_CLASSIFICATION).graph)
    prepare(Looks(), graphs.prepared().graph)
    assert [each is None for each in given] == [True, False]


class _NoPooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = pyg.GCNConv(7, 2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.conv(x, edge_index)
        return out


class _PoolsAll(_NoPooling):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return super().forward(x, edge_index).mean(dim=0, keepdim=True)


class _NeedsBatch(_NoPooling):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:  # type: ignore[override]
        return pyg.global_mean_pool(self.conv(x, edge_index), batch)


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        (
            _NoPooling,
            Task.GRAPH_CLASSIFICATION,
            "_NoPooling: it returns one row for each node; for task=graph_classification it must "
            "return one for each of the 12 graphs: let its forward pass take batch, and pool nodes "
            "by it, as global_mean_pool(x, batch) does",
        ),
        (_PoolsAll, Task.GRAPH_REGRESSION, "it returns one row for all graphs together; for task="),
        (
            _NeedsBatch,
            Task.NODE_CLASSIFICATION,
            "_NeedsBatch: it returns one row for the whole graph, as a model that pools nodes "
            "does; for task=node_classification it must return one for each of the",
        ),
    ],
)
def test_a_model_of_the_wrong_rows_is_refused_with_one_line(
    model: Callable[[], nn.Module], task: Task, message: str, graphs: Graphs
) -> None:
    with pytest.raises(InputError) as caught:
        prepare(model(), graphs.prepared(task).graph)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class _SharedHead(PooledNet):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        x = self.lin1(self.conv1(x, edge_index))
        pooled = pyg.global_add_pool(x, batch)
        out: Tensor = self.lin2(self.lin1(torch.cat([pooled, pooled[:, :2]], 1)))
        return out


def test_a_layer_reads_nodes_or_graphs_and_not_both(graph: Graph) -> None:
    with pytest.raises(InputError, match=r"lin1: its input has shape \[12, 8\]; .* 12 graphs"):
        prepare(_SharedHead("gcn", pyg.global_add_pool, 7), graph)


def test_a_convolution_reads_no_rows_of_graphs(graph: Graph) -> None:
    class Convolved(PooledNet):
        def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
            pooled = pyg.global_add_pool(self.conv1(x, edge_index), batch)
            out: Tensor = self.conv2(pooled, edge_index)
            return out

    with pytest.raises(InputError, match=r"conv2: its input has shape \[12, 8\]"):
        prepare(Convolved("gcn", pyg.global_add_pool, 7), graph)


class _FirstNodes(PooledNet):
    """Takes the first node of each graph: it depends on the order of the nodes."""

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        x = self.conv2(self.conv1(x, edge_index).relu(), edge_index)
        first = torch.searchsorted(batch, torch.arange(int(batch.max()) + 1))
        out: Tensor = self.lin2(self.lin1(x[first]))
        return out


def test_a_model_that_depends_on_the_order_of_nodes_is_refused(graphs: Graphs) -> None:
    # Bits that are found for many graphs are for any order of nodes.
    data = graphs.prepared()
    with pytest.raises(InputError, match="its outputs differ from plain PyG's"):
        in_order_of(_FirstNodes("gcn", pyg.global_add_pool, 7), data)
    pooled = PooledNet("gin", pyg.global_add_pool, 7)
    assert in_order_of(pooled, data).data is data
