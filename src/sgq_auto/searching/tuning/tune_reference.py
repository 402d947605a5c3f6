"""Full precision is tuned before its bits are searched: a reference worth compressing."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.searching.command_stages import OnStage, Stage
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.tuning.finalist import Finalist
from sgq_auto.searching.tuning.finetune_choice import tuned_finetune
from sgq_auto.searching.tuning.kept_tuning import Tuning, keep_tuning, kept_tuning, key_of
from sgq_auto.searching.tuning.successive_halving import (
    FINAL_SEEDS,
    Halving,
    OnRun,
    Plan,
)
from sgq_auto.searching.tuning.training_recipe import (
    DROPOUT,
    EPOCHS,
    LEARNING_RATE,
    NORMALIZE,
    WEIGHT_DECAY,
    Recipe,
    Values,
    default_recipe,
    set_by_hand,
    starting_values,
    tuned_values,
)
from sgq_auto.searching.tuning.training_runs import Trainer, trainer
from sgq_auto.settings.tune_settings import TuneMode
from sgq_auto.training import steps_of_epoch

# Recipes to begin with, beside the default: for features that were scaled, and for counts that were
# not. Chosen after a look at GCN on Cora, CiteSeer, PubMed and Computers; Photo took no part.
_STARTS = tuple(
    {LEARNING_RATE: rate, WEIGHT_DECAY: decay, DROPOUT: 0.5, NORMALIZE: normalize}
    for rate, decay, normalize in (
        (0.01, 5e-4, True),
        (0.05, 5e-4, True),
        (0.05, 0.0, True),
        (0.003, 0.0, False),
        (0.01, 5e-4, False),
        (0.01, 5e-3, False),
    )
)


def tuned(
    settings: SearchSettings,
    data: PreparedData,
    on_stage: OnStage,
    before_training: Callable[[], None] = lambda: None,
) -> tuple[SearchSettings, PreparedData, Tuning | None]:
    """Settings and data with full precision tuned, and what tuning found.

    What was found is kept under the output folder, for every seed of the search: the same search
    again reads it. Test labels are not read.

    Args:
        settings: The search.
        data: Its data.
        on_stage: Called as models are trained.
        before_training: Called first, if there is something to train.

    Returns:
        The settings and data as they are, and ``None``, where there is nothing to tune or the
        search is too short for it.
    """
    plan = plan_of(settings, data.graph)
    if not plan.recipes:
        return settings, data, None
    path = settings.output_root / "tuned" / f"{key_of(settings, data.graph)}.json"
    found = kept_tuning(path)
    if found is None:
        values = starting_values(settings, data.graph)
        space = tuned_values(settings, values, wide=settings.tune.mode is TuneMode.WIDE)
        if not space:
            return settings, data, None
        before_training()
        halving = partial(
            Halving, space, values, [{**values, **start} for start in _starts(values)]
        )
        found = _tune(settings, data.graph, plan, halving, path.parent, on_stage)
        keep_tuning(found, path)
    return (*found.applied(settings, data), found)


def untuned_note(settings: SearchSettings, graph: Graph) -> str | None:
    """That a search is too short to be tuned before, if it is."""
    off = settings.tune.mode is TuneMode.OFF or settings.pretrain is None
    if off or plan_of(settings, graph).recipes:
        return None
    return (
        "full precision is trained as the settings say: "
        f"n_trials={settings.n_trials} is too short a search to tune it before (pretrain.tune)"
    )


def plan_of(settings: SearchSettings, graph: Graph) -> Plan:
    """How many recipes a search tunes over; none where it is too short, or nothing is tuned."""
    if settings.tune.mode is TuneMode.OFF or settings.pretrain is None:
        return Plan.of(0, 1)
    confirm = settings.confirm
    points = confirm.seeds * (confirm.max_points + confirm.refinements)
    search_epochs = (settings.n_trials + points) * settings.finetune.epochs
    own = settings.pretrain.epochs
    given = own if EPOCHS in set_by_hand(settings) else None
    return Plan.of(
        settings.tune.epochs(search_epochs),
        own,
        given,
        steps=steps_of_epoch(graph, settings.pretrain),
        most_epochs=None if settings.pretrain.patience is None else own,
    )


def _tune(
    settings: SearchSettings,
    graph: Graph,
    plan: Plan,
    make_halving: Callable[[Trainer, OnRun], Halving],
    folder: Path,
    on_stage: OnStage,
) -> Tuning:
    began = time.perf_counter()

    def on_run(done: int) -> None:
        on_stage(Stage("tuning full precision", done, plan.runs))

    on_run(0)
    default = default_recipe(settings, graph)
    with trainer(settings, graph, folder) as train:
        halving = make_halving(train, on_run)
        best, usual = _finalists(halving, plan, default)
    winner = best if best.beats(usual) else usual
    recipe = winner.shortened(default, settings)
    finetune = tuned_finetune(settings, recipe, graph, on_stage)
    return Tuning(
        recipe=Recipe({**recipe.values, **finetune}),
        default=default,
        val_accuracy=winner.mean,
        default_val_accuracy=usual.mean,
        runs=tuple(halving.runs),
        seconds=time.perf_counter() - began,
        metric=graph.metric,
    )


def _starts(default: Values) -> list[Values]:
    """The values to begin with, as far as the model and the graph have what they set."""
    starts: list[Values] = [{k: v for k, v in each.items() if k in default} for each in _STARTS]
    return [{NORMALIZE: not default[NORMALIZE]}, *starts] if NORMALIZE in default else starts


def _finalists(halving: Halving, plan: Plan, default: Recipe) -> tuple[Finalist, Finalist]:
    """The best recipe and the default one, each with all seeds of the last round."""
    recipes = [*halving.semifinalists(plan), default]
    first, *others = FINAL_SEEDS
    *results, usual = halving.trained(recipes, "semifinal", seed=first)
    best = max(range(len(results)), key=lambda index: results[index].rank)
    finalists = [recipes[best], default]
    finals = [halving.trained(finalists, "final", seed=seed) for seed in others]
    columns = zip((results[best], usual), *finals, strict=True)
    own, given = (
        Finalist(recipe, column) for recipe, column in zip(finalists, columns, strict=True)
    )
    return own, given
