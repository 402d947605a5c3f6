"""Fine-tuning for a tuned model: step size and dropout that let a student follow its teachers."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sgq_auto.allocation import BitAllocation
from sgq_auto.graphs import Graph
from sgq_auto.packed import FootprintModel
from sgq_auto.quantize import prepare, trace_spec
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.stages import OnStage, Stage
from sgq_auto.searching.tuning.recipe import Recipe, dropout_of, set_by_hand
from sgq_auto.searching.workbench import mean_probabilities, pretrain_models
from sgq_auto.training import DivergedError, FitSettings, Pretrained, fit, predict

FINETUNE_RATE, FINETUNE_DROPOUT = "finetune.learning_rate", "finetune.dropout"
# Bits of every site that settings are compared at: few enough to be hard, not hopeless.
_BITS = 3
_SEEDS = (0, 1)
# What is tried beside the settings as they are.
_RATE_FACTOR, _LESS_DROPOUT = 0.25, 0.2
# Gain in accuracy and agreement, 0..1, that is worth a change. Chosen on Cora and Computers.
_WORTH = 0.01


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What every student is taught by, and on."""

    graph: Graph
    models: list[Pretrained]
    teacher: Tensor
    allocation: BitAllocation


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
    lesson = _lesson(settings, graph, on_stage)
    scores = []
    for number, choice in enumerate(choices):
        on_stage(Stage("tuning fine-tuning", number, len(choices)))
        scores.append(_score(settings, lesson, _with(settings.finetune, choice)))
    best = max(range(len(choices)), key=lambda index: scores[index])
    return choices[best] if scores[best] > scores[0] + _WORTH else {}


def _choices(settings: SearchSettings, graph: Graph) -> Iterator[dict[str, Any]]:
    """The settings as they are, and others."""
    given, fitting = set_by_hand(settings), settings.finetune
    own = fitting.dropout if fitting.dropout is not None else dropout_of(settings, graph) or 0.0
    rate = float(f"{fitting.learning_rate * _RATE_FACTOR:.2g}")
    rates = [{}, *([{FINETUNE_RATE: rate}] if FINETUNE_RATE not in given else [])]
    lower = own > _LESS_DROPOUT and FINETUNE_DROPOUT not in given
    drops = [{}, *([{FINETUNE_DROPOUT: _LESS_DROPOUT}] if lower else [])]
    for first in rates:
        for second in drops:
            yield {**first, **second}


def _lesson(settings: SearchSettings, graph: Graph, on_stage: OnStage) -> _Lesson:
    seeds = range(settings.teachers)
    models = pretrain_models(settings, graph, seeds, on_stage)
    prepared = prepare(models[0].model, graph)
    sites = FootprintModel(trace_spec(prepared, graph), graph.spec).sites()
    bits = min((width for width in settings.ladder if width >= _BITS), default=max(settings.ladder))
    teacher = mean_probabilities(settings, graph, seeds)
    return _Lesson(graph, models, teacher, BitAllocation.uniform(sites, bits))


def _score(settings: SearchSettings, lesson: _Lesson, fitting: FitSettings) -> float:
    """Mean of validation accuracy and agreement with the teachers over the seeds, 0..1."""
    scores = []
    for seed in _SEEDS:
        plain = lesson.models[seed % len(lesson.models)].model
        student = prepare(plain, lesson.graph, lesson.allocation, settings.ranges)
        try:
            accuracy = fit(student, lesson.graph, fitting, seed, lesson.teacher).val_accuracy
        except DivergedError:
            return 0.0
        logits = predict(student, lesson.graph)
        agree = (logits.argmax(dim=1) == lesson.teacher.argmax(dim=1)).double().mean()
        scores.append((accuracy + float(agree)) / 2)
    return statistics.fmean(scores)


def _with(fitting: FitSettings, choice: dict[str, Any]) -> FitSettings:
    return replace(fitting, **{k.removeprefix("finetune."): v for k, v in choice.items()})
