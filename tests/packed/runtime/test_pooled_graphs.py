"""Whole graphs: trained in batches, packed without data, and predicted one by one or together."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cases import random_allocation
from torch import Tensor, nn
from torch_geometric import nn as pyg

from joined_graphs import joined, prepared_graphs, random_graphs
from sgq_auto.graphs.many_graphs import largest_graph, part
from sgq_auto.packed import load, save
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.settings.fit_settings import FitSettings
from sgq_auto.task import Task
from sgq_auto.training import fit, predict

_FIT = FitSettings(epochs=6, learning_rate=0.02, weight_decay=0.0, batch_graphs=3)


class _Net(nn.Module):
    def __init__(self, features: int, pool: str) -> None:
        super().__init__()
        self.conv1, self.norm = pyg.GINConv(pyg.MLP([features, 8, 8])), nn.BatchNorm1d(8)
        self.conv2 = pyg.GCNConv(8, 8)
        self.lin1, self.lin2 = nn.Linear(8, 8), nn.Linear(8, 3)
        self.pool = getattr(pyg, f"global_{pool}_pool")

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        hidden = self.norm(self.conv1(x, edge_index)).relu()
        pooled = self.pool(self.conv2(hidden, edge_index).relu(), batch)
        out: Tensor = self.lin2(self.lin1(pooled).relu())
        return out


@pytest.mark.parametrize("pool", ["add", "mean", "max"])
def test_graphs_are_predicted_as_they_were_trained(pool: str, tmp_path: Path) -> None:
    raws = random_graphs(12, seed=6)
    graph = prepared_graphs(raws, task=Task.GRAPH_CLASSIFICATION)
    torch.manual_seed(0)
    model = _Net(graph.features.num_features, pool)
    allocation = random_allocation(model, graph, [4, 8, 32], 0)
    prepared = prepare(model, graph, allocation)
    result = fit(prepared, graph, _FIT, seed=0)
    assert 0 <= result.val_accuracy <= 1
    expected = predict(prepared, graph).numpy()
    assert expected.shape == (12, 3)
    some = torch.tensor([2, 7])
    np.testing.assert_allclose(predict(prepared, part(graph, some)), expected[some], atol=1e-4)
    save(convert(prepared, graph), tmp_path / "model.safetensors")
    packed = load(tmp_path / "model.safetensors")
    assert not packed.holds_graph
    spec = trace_spec(prepared, graph)
    assert largest_graph(spec, graph).footprints.packed(allocation) == packed.footprint()
    alone = [packed.predict(x=raw.x.toarray(), edge_index=raw.edge_index) for raw in raws]
    np.testing.assert_allclose(np.concatenate(alone), expected, atol=1e-3)
    whole, owner = joined(raws)
    together = packed.predict(x=whole.x.toarray(), edge_index=whole.edge_index, graph_of_node=owner)
    np.testing.assert_allclose(together, expected, atol=1e-3)
