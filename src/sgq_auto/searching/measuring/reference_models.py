"""The models at full precision that a search starts from, and that teach its trials."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from sgq_auto.graphs import Graph
from sgq_auto.quantize import prepare
from sgq_auto.searching.command_stages import OnStage, Stage, unheard
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.training import Pretrained, evaluate, predict, pretrain, said, weights_path

# Between the seeds of a trial and its repeats: further than any two studies' seeds.
_SEEDS_APART = 1_000_000


def pretrain_model(settings: SearchSettings, graph: Graph, seed: int) -> Pretrained:
    """The search's model at full precision, trained with ``seed`` or read from the cache.

    For every seed it is the model of the user's checkpoint, if there is one.
    """
    if settings.pretrain is None:
        model = settings.model.trained(graph)
        return Pretrained(model, evaluate(prepare(model, graph), graph)[0])
    return pretrain(
        lambda: settings.model.build(graph),
        graph,
        settings.pretrain,
        seed,
        model_config=settings.model.key_on(graph),
        cache=settings.cache,
        brought=settings.brought,
    )


def model_path(settings: SearchSettings, graph: Graph, seed: int) -> Path:
    """Where the weights of :func:`pretrain_model` are kept, or those that the study brought."""
    if settings.pretrain is None:
        assert settings.model.checkpoint is not None
        return settings.model.checkpoint
    path = weights_path(
        graph,
        settings.pretrain,
        seed,
        model_config=settings.model.key_on(graph),
        cache=settings.cache,
    )
    brought = None if settings.brought is None else settings.brought / path.name
    return path if brought is None or not brought.exists() else brought


def pretrain_models(
    settings: SearchSettings, graph: Graph, seeds: Iterable[int], on_stage: OnStage = unheard
) -> list[Pretrained]:
    """The search's model at full precision for each seed; those not in the cache are trained.

    Where it is the user's own, no seed has another one: it is returned once.
    """
    seeds = list(seeds)[:1] if settings.pretrain is None else list(seeds)
    missing = [seed for seed in seeds if not model_path(settings, graph, seed).exists()]
    total, models = len(missing), []
    text = f"training {total} full-precision model{'' if total == 1 else 's'}"
    for seed in seeds:
        if seed in missing:
            on_stage(Stage(text, missing.index(seed), total))
        models.append(pretrain_model(settings, graph, seed))
    return models


def mean_probabilities(
    settings: SearchSettings,
    graph: Graph,
    seeds: Iterable[int],
    ask: Callable[[nn.Module], Tensor] | None = None,
) -> Tensor:
    """What full-precision models with these seeds say ``[rows, outputs]``, the mean: probabilities.

    Args:
        settings: The search.
        graph: What they are trained on.
        seeds: The seeds.
        ask: Asks a prepared model for what it returns; by default those on ``graph``.
    """
    return mean_prediction(pretrain_models(settings, graph, seeds), graph, ask)


def mean_prediction(
    models: Sequence[Pretrained], graph: Graph, ask: Callable[[nn.Module], Tensor] | None = None
) -> Tensor:
    """What models say ``[rows, outputs]``, the mean; see :func:`mean_probabilities`."""
    ask = ask or partial(predict, graph=graph)
    outputs = (ask(prepare(each.model, graph)) for each in models)
    return torch.stack([said(each, graph.task) for each in outputs]).mean(dim=0)


def finetune_seed(settings: SearchSettings, repeat: int) -> int:
    """The seed of a fine-tuning.

    Args:
        settings: The search.
        repeat: How often the allocation was measured before; each measurement has its own seed.
    """
    return settings.seed + _SEEDS_APART * repeat
