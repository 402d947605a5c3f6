"""What is tuned, and recipes as settings of the search command."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse
import torch
from optuna.distributions import CategoricalDistribution
from torch import nn

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import ModelSettings, SearchSettings
from sgq_auto.searching.tuning.training_recipe import (
    DROPOUT,
    LEARNING_RATE,
    NORMALIZE,
    WEIGHT_DECAY,
    Recipe,
    default_recipe,
    dropout_of,
    may_normalize,
    starting_values,
    tuned_values,
)
from sgq_auto.task import Task

SettingsBuilder = Callable[..., SearchSettings]


def names(settings: SearchSettings, data: PreparedData, *, wide: bool = False) -> set[str]:
    return set(tuned_values(settings, starting_values(settings, data.graph), wide=wide))


def test_a_recipe_changes_what_it_names(settings: SettingsBuilder, synthetic: PreparedData) -> None:
    recipe = Recipe({LEARNING_RATE: 0.3, "model.hidden": 7, "finetune.dropout": 0.1})
    search = settings()
    applied = recipe.applied(search)
    assert applied.pretrain == replace(search.pretrain, learning_rate=0.3)
    assert applied.finetune == replace(search.finetune, dropout=0.1)
    assert applied.model.config == {**search.model.config, "hidden": 7}
    assert applied.model.key_on(synthetic.graph) != search.model.key_on(synthetic.graph)
    assert Recipe({}).applied(search) == search


def test_features_are_normalised_as_a_recipe_says(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    for wanted in (False, True):
        prepared = Recipe({NORMALIZE: wanted}).prepared(graph)
        assert prepared.features.normalize_rows is wanted
        sums = prepared.features.dense().sum(dim=1)
        assert bool(torch.allclose(sums, torch.ones(()), atol=1e-5)) is wanted
    assert Recipe({}).prepared(graph) is graph


def test_labels_of_nodes_as_features_are_not_normalised() -> None:
    counted = random_graphs(5)
    labelled = [
        replace(raw, x=scipy.sparse.csr_matrix(np.eye(3, dtype=np.float32)[raw.y]))
        for raw in counted
    ]
    assert not may_normalize(prepared_graphs(labelled, task=Task.GRAPH_CLASSIFICATION))
    assert may_normalize(prepared_graphs(counted, task=Task.GRAPH_CLASSIFICATION))
    assert may_normalize(prepared_graphs(labelled))


def test_overrides_are_typed_as_on_the_command_line() -> None:
    values = {LEARNING_RATE: 0.003, WEIGHT_DECAY: 0.0, NORMALIZE: False}
    typed = ["pretrain.learning_rate=0.003", "pretrain.weight_decay=0"]
    assert Recipe(values).overrides == [*typed, "dataset.normalize_rows=false"]


def test_what_drops_is_found_wherever_it_drops(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    def dropout(target: str, **arguments: float) -> float | None:
        model = ModelSettings("m", {"_target_": f"sgq_auto.models.{target}", **arguments})
        return dropout_of(settings(model=model), synthetic.graph)

    assert dropout("GCN", dropout=0.35) == 0.35
    assert dropout("GAT", dropout=0.25) == 0.25
    assert dropout("GCN", dropout=0.0) is None


def test_a_model_that_drops_nothing_has_no_dropout_to_tune(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    model = ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN", "dropout": 0.0})
    assert DROPOUT in names(settings(), synthetic)
    assert DROPOUT not in names(settings(model=model), synthetic)


def test_features_below_zero_are_not_normalised(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    features = synthetic.graph.features
    negative = replace(features, values=features.values - 2.0)  # type: ignore[type-var]
    data = replace(synthetic, graph=replace(synthetic.graph, features=negative))
    assert NORMALIZE in names(settings(), synthetic)
    assert NORMALIZE not in names(settings(), data)


def test_what_is_set_by_hand_is_not_tuned(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    given = ["pretrain.learning_rate=0.02", "++model.dropout=0.1", "seed=3"]
    search = settings(config={"overrides": given})
    assert names(search, synthetic) == {WEIGHT_DECAY, NORMALIZE}


def test_widths_are_tuned_only_when_asked(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    search = settings()
    assert "model.hidden" not in names(search, synthetic)
    space = tuned_values(search, starting_values(search, synthetic.graph), wide=True)
    widths = space["model.hidden"]
    assert isinstance(widths, CategoricalDistribution)
    assert widths.choices == (2, 4, 8, 16)


def test_the_default_recipe_changes_nothing(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    search = settings()
    recipe = default_recipe(search, synthetic.graph)
    assert recipe.applied(search) == search
    assert recipe.prepared(synthetic.graph) is synthetic.graph
    assert isinstance(recipe.applied(search).model.build(synthetic.graph), nn.Module)
