"""Training runs that tuning compares."""

from collections.abc import Callable

import pytest
from torch import Tensor, nn
from torch_geometric.nn import SAGEConv, global_add_pool

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.searching import ModelSettings, SearchSettings
from sgq_auto.searching.tuning.training_recipe import Recipe
from sgq_auto.searching.tuning.training_runs import TrainingRun, train
from sgq_auto.settings import FitSettings
from sgq_auto.task import Task

SettingsBuilder = Callable[..., SearchSettings]


class Pooled(nn.Module):
    """Two layers and a pooling."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.conv = SAGEConv(in_features, 8)
        self.last = nn.Linear(8, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        out: Tensor = self.last(global_add_pool(self.conv(x, edge_index).relu(), batch))
        return out


def test_runs_on_few_graphs_are_ranked_by_their_validation_loss(settings: SettingsBuilder) -> None:
    graph = prepared_graphs(random_graphs(9, seed=2), task=Task.GRAPH_CLASSIFICATION)
    model = ModelSettings("pooled", {"_target_": f"{__name__}.Pooled"})
    search = settings(model=model, pretrain=FitSettings(6, 0.01, 0.0))
    result = train(search, graph, TrainingRun(Recipe({}), seed=0))
    assert result.fitted is not None
    assert len(result.losses) == len(result.right) == graph.val.nodes.numel()
    assert result.rank == pytest.approx(-min(result.fitted.val_losses), abs=1e-5)

    diverging = Recipe({"pretrain.learning_rate": 1e30})
    failed = train(search, graph, TrainingRun(diverging, seed=0))
    assert failed.fitted is None
    assert failed.rank < 0
    assert len(failed.losses) == len(result.losses)
