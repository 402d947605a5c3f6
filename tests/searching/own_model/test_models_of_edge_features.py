"""Models that read features of edges are given how many there are, and are probed with some."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from featured_graphs import with_edge_features
from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.models import GraphGINE
from sgq_auto.quantize import prepare
from sgq_auto.quantize.prepare import plain_state
from sgq_auto.searching.own_model.computation_probe import probe
from sgq_auto.searching.own_model.size_arguments import SizeArguments
from sgq_auto.searching.settings.model_settings import ModelSettings
from sgq_auto.task import Task


def _graph(columns: int = 2) -> Graph:
    raws = [with_edge_features(raw, columns) for raw in random_graphs(4)] if columns else None
    return prepared_graphs(raws or random_graphs(4), task=Task.GRAPH_CLASSIFICATION)


class _Named:
    """Takes what people call the number of features of edges."""

    def __init__(self, in_channels: int, num_classes: int, num_edge_features: int = 1) -> None: ...


def test_a_class_is_given_how_many_features_edges_have() -> None:
    sizes = SizeArguments.of(_Named, {}, _graph())
    assert sizes.values == {"in_channels": 6, "num_classes": 3, "num_edge_features": 2}
    assert "num_edge_features=2 features of edges" in sizes.said
    assert "num_edge_features" not in SizeArguments.of(_Named, {}, _graph(0)).values
    weighted = prepared_graphs(random_graphs(4, weighted=True))
    assert "num_edge_features" not in SizeArguments.of(_Named, {}, weighted).values
    own = SizeArguments.of(_Named, {"num_edge_features": 5}, _graph())
    assert not any("features of edges" in said for said in own.said)


class _Reads(nn.Module):
    """Cannot run without features of edges."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.conv, self.factor = pyg.GATConv(6, 3, edge_dim=2), factor

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        out: Tensor = self.conv(x, edge_index, self.factor * edge_attr)
        return out


def test_what_a_model_of_edge_features_computes_is_part_of_what_it_is() -> None:
    raws = [with_edge_features(raw, 2) for raw in random_graphs(4)]
    graph = prepared_graphs(raws)

    def computed(**options: Any) -> Any:
        return json.loads(probe(lambda: _Reads(**options), graph))[1]

    assert computed() is not None
    assert computed() == computed() != computed(factor=2.0)


def test_the_shipped_model_keeps_its_parameters() -> None:
    graph = _graph()
    for seed in range(3):
        torch.manual_seed(seed)
        model = GraphGINE(6, 3, 2, hidden=5)
        prepared = prepare(model, graph)
        shapes = {key: value.shape for key, value in model.state_dict().items()}
        state = plain_state(prepared, model)
        assert {key: value.shape for key, value in state.items()} == shapes
        out = prepared(graph.features, graph.adj_t)
        assert out.shape == (4, 3)


def test_a_graph_without_features_is_one_line() -> None:
    settings = ModelSettings.of("graph_gine", {"_target_": "sgq_auto.models.GraphGINE"})
    with pytest.raises(
        InputError,
        match=r"^model=graph_gine: [^\n]*; edge_dim is the number of f[^\n]*, and edges have none$",
    ):
        settings.build(_graph(0))
