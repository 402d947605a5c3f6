"""Finalists of tuning: which is better, and how long it has to train."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from sgq_auto.searching import SearchSettings
from sgq_auto.searching.tuning.finalist import Finalist
from sgq_auto.searching.tuning.training_recipe import EPOCHS, LEARNING_RATE, Recipe
from sgq_auto.searching.tuning.training_runs import RunResult
from sgq_auto.training import FitResult, Schedule

SettingsBuilder = Callable[..., SearchSettings]
_DEFAULT = Recipe({LEARNING_RATE: 0.01, EPOCHS: 200})
_RECIPE = Recipe({LEARNING_RATE: 0.05, EPOCHS: 600})
_EPOCHS = (100, 200, 300, 400, 500, 600)


def _trained(losses: Sequence[float], accuracies: Sequence[float]) -> RunResult:
    kept = min(range(len(losses)), key=losses.__getitem__)
    curve = tuple(zip(_EPOCHS, accuracies, strict=True))
    fitted = FitResult(accuracies[kept], _EPOCHS[kept], curve, 0.0, val_losses=tuple(losses))
    return RunResult(fitted, (True,) * 80 + (False,) * 20)


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [
        # The accuracy is there after 100 epochs; the loss, which is steadier, is not.
        ((0.71, 0.66, 0.64, 0.625, 0.62, 0.618), 400),
        ((0.60, 0.60, 0.60, 0.60, 0.60, 0.60), 100),
        ((0.60, 0.50, 0.52, 0.55, 0.60, 0.70), 200),
        ((1.00, 0.90, 0.80, 0.70, 0.60, 0.50), 600),
    ],
)
def test_training_is_as_long_as_the_loss_falls(
    settings: SettingsBuilder, losses: tuple[float, ...], epochs: int
) -> None:
    finalist = Finalist(_RECIPE, (_trained(losses, (0.82,) * 6),) * 2)
    shortened = finalist.shortened(_DEFAULT, settings())
    assert shortened.values == {**_RECIPE.values, EPOCHS: epochs}


def test_epochs_that_mean_something_else_stay(settings: SettingsBuilder) -> None:
    flat = (_trained((0.6,) * 6, (0.8,) * 6),) * 2
    asked = settings()
    cosine = replace(asked, pretrain=replace(asked.pretraining, schedule=Schedule.COSINE))
    by_hand = settings(config={"overrides": ["pretrain.epochs=600"]})
    assert Finalist(_RECIPE, flat).shortened(_DEFAULT, asked) != _RECIPE
    assert Finalist(_RECIPE, flat).shortened(_DEFAULT, cosine) == _RECIPE
    assert Finalist(_RECIPE, flat).shortened(_DEFAULT, by_hand) == _RECIPE
    assert Finalist(_RECIPE, flat).shortened(_RECIPE, asked) == _RECIPE


def test_a_recipe_is_better_only_beyond_chance_and_its_spread() -> None:
    def finalist(*right: int, first: int = 0) -> Finalist:
        flags = [tuple(0 <= node - first < count for node in range(100)) for count in right]
        results = [
            RunResult(FitResult(count / 100, 1, (), 0.0), each)
            for count, each in zip(right, flags, strict=True)
        ]
        return Finalist(_RECIPE, tuple(results))

    usual = finalist(80, 80)
    assert finalist(86, 86).beats(usual)
    # One node more is right, but among others.
    assert not finalist(81, 81, first=10).beats(usual)
    # Better on average, but not with every seed.
    assert not finalist(78, 90).beats(usual)


def test_few_graphs_are_told_apart_by_their_losses() -> None:
    def finalist(loss: float, right: int, seeds: int = 2) -> Finalist:
        fitted = FitResult(right / 18, 1, (), 0.0)
        flags = (True,) * right + (False,) * (18 - right)
        losses = tuple(loss + 0.1 * (graph % 3) for graph in range(18))
        return Finalist(_RECIPE, (RunResult(fitted, flags, losses=losses),) * seeds)

    usual = finalist(0.6, 16)
    assert finalist(0.4, 16).beats(usual)
    assert not usual.beats(finalist(0.4, 16))
    # A lower loss with fewer right answers is no gain.
    assert not finalist(0.4, 15).beats(usual)
    # Without them it is the right answers that count.
    ranks = [result.rank for result in (finalist(0.4, 16).results[0], RunResult(None, (True,)))]
    assert ranks[0] == pytest.approx(-0.5)
    assert ranks[1] == 0.0
