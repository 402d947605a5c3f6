"""Successive halving: many recipes are trained for a while, the best of them for longer.

Jamieson and Talwalkar, AISTATS 2016. Every round trains anew, with a seed of its own, so that a
recipe is not kept for one lucky draw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from sgq_auto.searching.tuning.training_recipe import NO_DECAY, WEIGHT_DECAY, Recipe, Values
from sgq_auto.searching.tuning.training_runs import RunResult, Trainer, TrainingRun, lasting

# Epochs of the first round, in which every recipe is trained, and of the rounds after it; as many
# steps where an epoch has several.
FIRST_EPOCHS, LAST_EPOCHS = 200, 600
# A recipe whose best epoch lies behind this share of the first round was still getting better.
_LATE = 0.9
# Seeds of the last round, in which one recipe meets the default one; the first one has seed 0.
FINAL_SEEDS = (1, 2)
# Recipes of the round between, which has the first seed of the last one.
_SEMIFINALISTS = 3
# Training runs after the first round: of recipes, and of the default one.
_LONG_RUNS = _SEMIFINALISTS - 1 + 2 * len(FINAL_SEEDS)
# Fewer recipes are not worth a comparison.
_FEWEST = 8
OnRun = Callable[[int], None]


@dataclass(frozen=True)
class Plan:
    """How many recipes are tried, for a number of epochs.

    Attributes:
        recipes: Recipes of the first round; 0 where the epochs are too few to tune at all.
        first_epochs: Epochs of the first round.
        last_epochs: Epochs of the rounds after it.
    """

    recipes: int
    first_epochs: int
    last_epochs: int

    @classmethod
    def of(
        cls,
        epochs: int,
        default_epochs: int,
        given_epochs: int | None = None,
        *,
        steps: int = 1,
        most_epochs: int | None = None,
    ) -> "Plan":
        """The plan for at most ``epochs`` epochs in all.

        Args:
            epochs: Epochs of all training runs together.
            default_epochs: Epochs of the settings as they are.
            given_epochs: Epochs that the user wants every recipe to have, if they were given.
            steps: Steps of an epoch.
            most_epochs: Most epochs of a recipe, where patience ends training before as a rule.
        """
        first_epochs, last_epochs = (-(-whole // steps) for whole in (FIRST_EPOCHS, LAST_EPOCHS))
        if given_epochs is not None:
            last_epochs = given_epochs
        elif most_epochs is not None and most_epochs < last_epochs:
            last_epochs = most_epochs
            first_epochs = min(first_epochs, -(-most_epochs * FIRST_EPOCHS // LAST_EPOCHS))
        first_epochs = min(first_epochs, last_epochs)
        last = (_LONG_RUNS - len(FINAL_SEEDS)) * last_epochs + len(FINAL_SEEDS) * default_epochs
        recipes = int((epochs - last) / first_epochs)
        return cls(recipes if recipes >= _FEWEST else 0, first_epochs, last_epochs)

    @property
    def runs(self) -> int:
        """Training runs of all rounds together, for showing progress."""
        return self.recipes + _LONG_RUNS


@dataclass(frozen=True)
class TunedRun:
    """One training run of tuning.

    Attributes:
        values: The recipe's settings.
        stage: ``first``, ``semifinal`` or ``final``.
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
        """Keep of a run and its result what a study remembers."""
        return cls(run.recipe.values, stage, run.seed, result.val_accuracy, result.kept_epoch)


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
        on_run: OnRun,
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

    def semifinalists(self, plan: Plan) -> list[Recipe]:
        """The best recipes of the first round, best first, with the epochs of the next one.

        Given recipes come first; the rest are proposed in two parts, of which the second knows the
        results of all before.
        """
        tried: dict[Recipe, RunResult] = {}
        given = [self._default, *self._starts][: plan.recipes]
        for values in given:
            self._study.enqueue_trial(self._parameters(values))
        proposed = plan.recipes - len(given)
        for count in (len(given), proposed - proposed // 2, proposed // 2):
            trials = [self._study.ask(self._space) for _ in range(count)]
            recipes = [lasting(self._recipe(trial.params), plan.first_epochs) for trial in trials]
            results = self.trained(recipes, "first", seed=0)
            for trial, recipe, result in zip(trials, recipes, results, strict=True):
                self._study.tell(trial, result.rank)
                tried.setdefault(recipe, result)
        return _semifinalists(tried, plan)

    def trained(self, recipes: Sequence[Recipe], stage: str, *, seed: int) -> list[RunResult]:
        """Train each recipe with a seed."""
        runs = [TrainingRun(recipe, seed) for recipe in recipes]
        results = []
        for run, result in zip(runs, self._train(runs), strict=True):
            results.append(result)
            self.runs.append(TunedRun.of(run, result, stage))
            self._on_run(len(self.runs))
        return results

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


def _semifinalists(tried: Mapping[Recipe, RunResult], plan: Plan) -> list[Recipe]:
    """The best recipes, and the best of those others that were still getting better.

    Small steps are slow, and may lead further than what is best after few epochs.
    """
    ranked = sorted(tried, key=lambda recipe: -tried[recipe].rank)
    best, others = ranked[: _SEMIFINALISTS - 1], ranked[_SEMIFINALISTS - 1 :]
    late = [recipe for recipe in others if tried[recipe].kept_epoch > _LATE * plan.first_epochs]
    return [lasting(recipe, plan.last_epochs) for recipe in (*best, *(late or others)[:1])]
