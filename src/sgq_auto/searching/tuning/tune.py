"""Full precision is tuned before its bits are searched: a reference worth compressing."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.stages import OnStage, Stage
from sgq_auto.searching.tune_settings import TuneMode
from sgq_auto.searching.tuning.finetune_choice import tuned_finetune
from sgq_auto.searching.tuning.halving import (
    FINAL_SEEDS,
    Halving,
    OnRun,
    Plan,
)
from sgq_auto.searching.tuning.kept import Tuning, keep_tuning, kept_tuning, key_of
from sgq_auto.searching.tuning.recipe import (
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
from sgq_auto.searching.tuning.training_runs import RunResult, Trainer, lasting, trainer
from sgq_auto.training import Keep, Schedule

# Standard errors that a recipe must be better than the default one to take its place: on few
# validation nodes the best of many differs by chance alone.
_STANDARD_ERRORS = 1.0
# Spread over seeds counts against a recipe, in standard deviations.
_SPREAD = 0.5
# Accuracy, 0..1, that fewer epochs may cost.
_LENGTH_SLACK = 0.003
# Lengths of training that are told apart.
_LENGTHS = (100, 200, 300, 400)
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


@dataclass(frozen=True)
class _Finalist:
    """A recipe that was trained with several seeds."""

    recipe: Recipe
    results: tuple[RunResult, ...]

    @property
    def score(self) -> float:
        accuracies = [result.val_accuracy for result in self.results]
        return statistics.fmean(accuracies) - _SPREAD * statistics.stdev(accuracies)

    @property
    def mean(self) -> float:
        return statistics.fmean(result.val_accuracy for result in self.results)

    def beats(self, other: "_Finalist") -> bool:
        """Whether it is better beyond the chance of which nodes are validation nodes."""
        count = len(self.results[0].right)
        own, others = [_shares(each) for each in (self, other)]
        differences = [a - b for a, b in zip(own, others, strict=True)]
        error = statistics.pstdev(differences) / math.sqrt(count)
        return self.score - other.score > _STANDARD_ERRORS * error


def _shares(finalist: _Finalist) -> list[float]:
    """Of each validation node, the share of seeds that predict its class."""
    rows = [result.right for result in finalist.results]
    return [statistics.fmean(column) for column in zip(*rows, strict=True)]


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
    plan = plan_of(settings)
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


def untuned_note(settings: SearchSettings) -> str | None:
    """That a search is too short to be tuned before, if it is."""
    off = settings.tune.mode is TuneMode.OFF or settings.pretrain is None
    if off or plan_of(settings).recipes:
        return None
    return (
        "full precision is trained as the settings say: "
        f"n_trials={settings.n_trials} is too short a search to tune it before (pretrain.tune)"
    )


def plan_of(settings: SearchSettings) -> Plan:
    """How many recipes a search tunes over; none where it is too short, or nothing is tuned."""
    if settings.tune.mode is TuneMode.OFF or settings.pretrain is None:
        return Plan.of(0, 1)
    confirm = settings.confirm
    points = confirm.seeds * (confirm.max_points + confirm.refinements)
    search_epochs = (settings.n_trials + points) * settings.finetune.epochs
    own = settings.pretrain.epochs
    given = own if EPOCHS in set_by_hand(settings) else None
    return Plan.of(settings.tune.epochs(search_epochs), own, given)


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
        found = halving.finalists(plan)
        finalists = [_final(halving, recipe) for recipe in (default, *found)]
    usual, *others = finalists
    best = max(others, key=lambda each: each.score)
    winner = best if best.beats(usual) else usual
    recipe = _shortened(winner, default, settings)
    finetune = tuned_finetune(settings, recipe, graph, on_stage)
    return Tuning(
        recipe=Recipe({**recipe.values, **finetune}),
        default=default,
        val_accuracy=winner.mean,
        default_val_accuracy=usual.mean,
        runs=tuple(halving.runs),
        seconds=time.perf_counter() - began,
    )


def _starts(default: Values) -> list[Values]:
    """The values to begin with, as far as the model and the graph have what they set."""
    starts: list[Values] = [{k: v for k, v in each.items() if k in default} for each in _STARTS]
    return [{NORMALIZE: not default[NORMALIZE]}, *starts] if NORMALIZE in default else starts


def _final(halving: Halving, recipe: Recipe) -> _Finalist:
    results = [halving.trained([recipe], "final", seed=seed)[0] for seed in FINAL_SEEDS]
    return _Finalist(recipe, tuple(results))


def _shortened(finalist: _Finalist, default: Recipe, settings: SearchSettings) -> Recipe:
    """With as few epochs as all but reach the accuracy.

    The default recipe stays as it is, and so do epochs that were set by hand. Only at constant
    step sizes is a shorter training the beginning of a longer one.
    """
    recipe, fitting = finalist.recipe, settings.pretraining
    constant = fitting.schedule is Schedule.CONSTANT and fitting.keep is Keep.BEST
    if recipe == default or not constant or EPOCHS in set_by_hand(settings):
        return recipe
    whole = recipe.values[EPOCHS]
    for epochs in (length for length in _LENGTHS if length < whole):
        reached = statistics.fmean(each.accuracy_within(epochs) for each in finalist.results)
        if reached >= finalist.mean - _LENGTH_SLACK:
            return lasting(recipe, epochs)
    return recipe
