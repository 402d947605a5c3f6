"""Successive halving: many recipes are trained briefly, the better of them for longer.

Jamieson and Talwalkar, AISTATS 2016. Every round trains anew, with a seed of its own, so that a
recipe is not kept for one lucky draw.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from sgq_auto.searching.tuning.recipe import NO_DECAY, WEIGHT_DECAY, Recipe, Values
from sgq_auto.searching.tuning.training_runs import RunResult, Trainer, TrainingRun, lasting

# Epochs of the first round, and of the second, which a third of the recipes reach.
FIRST_EPOCHS, SECOND_EPOCHS = 100, 300
_KEPT_SHARE = 1 / 3
# Epochs of a finalist that was still getting better at the end of the second round.
LAST_EPOCHS = 600
FINAL_SEEDS = (0, 1, 2)
# Fewer recipes are not worth a comparison.
_FEWEST = 6
_OnRun = Callable[[int], None]


@dataclass(frozen=True)
class Plan:
    """How many recipes are tried, for a number of epochs.

    Attributes:
        recipes: Recipes of the first round; 0 where the epochs are too few to tune at all.
        finalists: Recipes that meet the default one in the last round.
    """

    recipes: int
    finalists: int

    @classmethod
    def of(cls, epochs: int, default_epochs: int) -> "Plan":
        """The plan for at most ``epochs`` epochs in all."""
        each = FIRST_EPOCHS + _KEPT_SHARE * SECOND_EPOCHS
        for finalists in (2, 1):
            last = len(FINAL_SEEDS) * (finalists * LAST_EPOCHS + default_epochs)
            recipes = int((epochs - last) / each)
            if recipes >= _FEWEST * finalists:
                return cls(recipes, finalists)
        return cls(0, 0)

    @property
    def second(self) -> int:
        """Recipes of the second round."""
        return max(self.finalists, math.ceil(self.recipes * _KEPT_SHARE))

    @property
    def runs(self) -> int:
        """Training runs in all."""
        return self.recipes + self.second + (self.finalists + 1) * len(FINAL_SEEDS)


@dataclass(frozen=True)
class TunedRun:
    """One training run of tuning.

    Attributes:
        values: The recipe's settings.
        stage: ``first``, ``second`` or ``final``.
        seed: Its seed.
        val_accuracy: Validation accuracy, 0..1.
        kept_epoch: The epoch that it ended with; 0 if training diverged.
    """

    values: Values
    stage: str
    seed: int
    val_accuracy: float
    kept_epoch: int

    @classmethod
    def of(cls, run: TrainingRun, result: RunResult, stage: str) -> "TunedRun":
        """A run and its result."""
        kept = result.fitted.kept_epoch if result.fitted else 0
        return cls(run.recipe.values, stage, run.seed, result.val_accuracy, kept)


class Halving:
    """The rounds of successive halving, with an Optuna study that proposes the recipes.

    Args:
        space: What is tuned, by name.
        default: The values that the settings have; they and ``starts`` are tried first.
        starts: Other values to begin with.
        train: Trains.
        on_run: Called with the number of runs that are done.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        default: Values,
        starts: Sequence[Values],
        train: Trainer,
        on_run: _OnRun,
    ) -> None:
        self._space = dict(space)
        self._default = default
        self._starts = starts
        self._train = train
        self._on_run = on_run
        self.runs: list[TunedRun] = []
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=0, multivariate=True, n_startup_trials=1)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)

    def finalists(self, plan: Plan) -> list[Recipe]:
        """The best recipes of two rounds, best first, as long as they need to be trained."""
        first = self._first_round(plan.recipes)
        recipes = [lasting(recipe, SECOND_EPOCHS) for recipe in _best(first, plan.second)]
        results = self.trained(recipes, "second", seed=1)
        scores = [
            (statistics.fmean((result.val_accuracy, first[_key(recipe)][1])), recipe, result)
            for recipe, result in zip(recipes, results, strict=True)
        ]
        scores.sort(key=lambda each: -each[0])
        return [_long_enough(recipe, result) for _, recipe, result in scores[: plan.finalists]]

    def trained(self, recipes: Sequence[Recipe], stage: str, *, seed: int) -> list[RunResult]:
        """Train each recipe with a seed."""
        runs = [TrainingRun(recipe, seed) for recipe in recipes]
        results = []
        for run, result in zip(runs, self._train(runs), strict=True):
            results.append(result)
            self.runs.append(TunedRun.of(run, result, stage))
            self._on_run(len(self.runs))
        return results

    def _first_round(self, count: int) -> dict[str, tuple[Recipe, float]]:
        """Recipes and their accuracies after few epochs: given ones, random ones, proposed ones."""
        tried: dict[str, tuple[Recipe, float]] = {}
        given = [self._default, *self._starts][:count]
        for values in given:
            self._study.enqueue_trial(self._parameters(values))
        halves = (max(len(given), count // 2), count - max(len(given), count // 2))
        for half in halves:
            trials = [self._study.ask(self._space) for _ in range(half)]
            recipes = [lasting(self._recipe(trial.params), FIRST_EPOCHS) for trial in trials]
            results = self.trained(recipes, "first", seed=0)
            for trial, recipe, result in zip(trials, recipes, results, strict=True):
                self._study.tell(trial, result.val_accuracy)
                tried[_key(recipe)] = (recipe, result.val_accuracy)
        return tried

    def _recipe(self, parameters: Values) -> Recipe:
        values = {name: _rounded(name, value) for name, value in parameters.items()}
        return Recipe({**self._default, **values})

    def _parameters(self, values: Values) -> dict[str, Any]:
        values = {name: values.get(name, self._default.get(name)) for name in self._space}
        if WEIGHT_DECAY in values:
            values[WEIGHT_DECAY] = max(values[WEIGHT_DECAY], NO_DECAY)
        return values


def _rounded(name: str, value: Any) -> Any:
    """Two digits are enough, and are shorter to type."""
    if not isinstance(value, float):
        return value
    if name == WEIGHT_DECAY and value <= NO_DECAY * 1.001:
        return 0.0
    return float(f"{value:.2g}")


def _key(recipe: Recipe) -> str:
    return repr(sorted((k, v) for k, v in lasting(recipe, 0).values.items()))


def _best(tried: Mapping[str, tuple[Recipe, float]], count: int) -> list[Recipe]:
    ranked = sorted(tried.values(), key=lambda each: -each[1])
    return [recipe for recipe, _ in ranked[:count]]


def _long_enough(recipe: Recipe, result: RunResult) -> Recipe:
    """With more epochs, if it was still getting better near the end of the second round."""
    kept = result.fitted.kept_epoch if result.fitted else 0
    return lasting(recipe, LAST_EPOCHS if kept > 0.8 * SECOND_EPOCHS else SECOND_EPOCHS)
