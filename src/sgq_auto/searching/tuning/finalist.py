"""Recipes of the last round of tuning: which is better, and how long it has to train."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.tuning.training_recipe import EPOCHS, Recipe, set_by_hand
from sgq_auto.searching.tuning.training_runs import RunResult, lasting
from sgq_auto.training import Keep, Schedule

# Standard errors that a recipe must be better than the default one to take its place: on few
# validation nodes the best of many differs by chance alone.
_STANDARD_ERRORS = 1.0
# Spread over seeds counts against a recipe, in standard deviations.
_SPREAD = 0.5
# Share by which fewer epochs may raise the lowest validation loss. The loss is far steadier than
# the accuracy of a few hundred nodes, which is as good by chance after a sixth of the epochs.
_LENGTH_SLACK = 0.02
# Lengths of training that are told apart, as shares of the longest.
_LENGTHS = (Fraction(1, 6), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3))


@dataclass(frozen=True)
class Finalist:
    """A recipe that was trained with several seeds.

    Attributes:
        recipe: The recipe.
        results: Of each seed.
    """

    recipe: Recipe
    results: tuple[RunResult, ...]

    @property
    def score(self) -> float:
        """Mean of what runs are ranked by, less a part of its spread over the seeds."""
        ranks = [result.rank for result in self.results]
        return statistics.fmean(ranks) - _SPREAD * statistics.stdev(ranks)

    @property
    def mean(self) -> float:
        """Mean validation accuracy over the seeds, 0..1; what is reported, not what is ranked."""
        return statistics.fmean(result.val_accuracy for result in self.results)

    def _loss_within(self, epochs: int) -> float:
        return statistics.fmean(result.loss_within(epochs) for result in self.results)

    def beats(self, other: "Finalist") -> bool:
        """Whether it is better beyond the chance of which nodes are validation nodes.

        By their loss alone it is not: as many answers must be right.
        """
        count = len(self.results[0].right)
        own, others = [_shares(each) for each in (self, other)]
        differences = [a - b for a, b in zip(own, others, strict=True)]
        # Samples of the nodes spread as the metric does; single nodes spread more.
        error = statistics.pstdev(differences) / (math.sqrt(count) if count else 1.0)
        better = self.score - other.score > _STANDARD_ERRORS * error
        return better and (self.mean >= other.mean or not self.results[0].losses)

    def shortened(self, default: Recipe, settings: SearchSettings) -> Recipe:
        """The recipe with as few epochs as all but reach the lowest validation loss.

        The default recipe stays as it is, and so do epochs that were set by hand. Only at constant
        step sizes is a shorter training the beginning of a longer one.
        """
        recipe, fitting = self.recipe, settings.pretraining
        constant = fitting.schedule is Schedule.CONSTANT and fitting.keep is Keep.BEST
        if recipe == default or not constant or EPOCHS in set_by_hand(settings):
            return recipe
        whole = recipe.values[EPOCHS]
        most = (1 + _LENGTH_SLACK) * self._loss_within(whole)
        lengths = (math.ceil(whole * share) for share in _LENGTHS)
        epochs = next((each for each in lengths if self._loss_within(each) <= most), whole)
        return lasting(recipe, epochs)


def _shares(finalist: Finalist) -> list[float]:
    """Of each validation node, the share of seeds that predict its class.

    Of another metric than accuracy: of each sample of the nodes, the mean over the seeds. Where
    runs are ranked by their losses: the mean loss of each graph, below 0.
    """
    rows = [_row(result) for result in finalist.results]
    return [statistics.fmean(column) for column in zip(*rows, strict=True)]


def _row(result: RunResult) -> Sequence[float]:
    if result.losses:
        return [-loss for loss in result.losses]
    return result.right or result.resampled
