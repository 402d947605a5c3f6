"""Fine-tuning for a tuned model: step size and dropout that let a student follow its teachers."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from sgq_auto.graphs import Graph
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.searching.command_stages import OnStage, Stage
from sgq_auto.searching.measuring.reference_models import pretrain_model
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.tuning.training_recipe import Recipe, dropout_of, set_by_hand
from sgq_auto.task import Task
from sgq_auto.training import DivergedError, agreement, predict, training_dropout

FINETUNE_RATE, FINETUNE_DROPOUT = "finetune.learning_rate", "finetune.dropout"
# Bits of every site that settings are compared at: few enough to be hard, not hopeless.
_BITS = 3
_SEEDS = (0, 1)
# What is tried beside the settings as they are.
_RATE_FACTOR, _LESS_DROPOUT = 0.25, 0.2
# Gain in accuracy and agreement, 0..1, that is worth a change. Chosen on Cora and Computers.
_WORTH = 0.01


def tuned_finetune(
    settings: SearchSettings, recipe: Recipe, graph: Graph, on_stage: OnStage
) -> dict[str, Any]:
    """Settings of fine-tuning that fit a recipe; empty where those of the search do.

    A student of few bits is taught with each, and is scored by its validation accuracy and by the
    share of all nodes on which it agrees with its teachers, which needs no labels.

    Args:
        settings: The search, as it was before tuning.
        recipe: How its model is trained.
        graph: Its graph, features as the search had them.
        on_stage: Called as students are trained.
    """
    if settings.finetune.distillation == 0:
        return {}
    settings = recipe.applied(settings)
    graph = recipe.prepared(graph).to(torch.device(settings.device))
    choices = list(_choices(settings, graph))
    if len(choices) == 1:
        return {}
    bench = Workbench.build(settings, graph, _SEEDS[0], on_stage)
    scores = []
    for number, choice in enumerate(choices):
        on_stage(Stage("tuning fine-tuning", number, len(choices)))
        scores.append(_score(replace(bench, settings=Recipe(choice).applied(settings))))
    best = max(range(len(choices)), key=lambda index: scores[index])
    return choices[best] if scores[best] > scores[0] + _WORTH else {}


def _choices(settings: SearchSettings, graph: Graph) -> Iterator[dict[str, Any]]:
    """The settings as they are, and others."""
    given, fitting = set_by_hand(settings), settings.finetune
    own = training_dropout(graph, fitting)
    own = dropout_of(settings, graph) or 0.0 if own is None else own
    rate = float(f"{fitting.learning_rate * _RATE_FACTOR:.2g}")
    rates = [{}, *([{FINETUNE_RATE: rate}] if FINETUNE_RATE not in given else [])]
    lower = own > _LESS_DROPOUT and FINETUNE_DROPOUT not in given
    drops = [{}, *([{FINETUNE_DROPOUT: _LESS_DROPOUT}] if lower else [])]
    for first in rates:
        for second in drops:
            yield {**first, **second}


def _score(bench: Workbench) -> float:
    """Mean of the validation metric and agreement with the teachers over the seeds."""
    ladder = bench.settings.ladder
    bits = min((width for width in ladder if width >= _BITS), default=max(ladder))
    allocation = BitAllocation.uniform(bench.footprints.sites(), bits)
    task, metric = bench.graph.task, bench.graph.metric
    taught = bench.teacher.logit() if task is Task.NODE_MULTILABEL else bench.teacher
    # Of an error, the share of full precision's: what agrees less counts as much in any units.
    scale = metric.scale(bench.pretrained.val_accuracy)
    scores = []
    for seed in _SEEDS:
        # There are as many full-precision models as teachers.
        start = pretrain_model(bench.settings, bench.graph, seed % bench.settings.teachers)
        try:
            student, fitted = replace(bench, pretrained=start).finetune(allocation, seed)
        except DivergedError:
            return -math.inf
        agree = agreement(predict(student, bench.graph), taught, task)
        scores.append((fitted.val_accuracy / scale + agree) / 2)
    return statistics.fmean(scores)
