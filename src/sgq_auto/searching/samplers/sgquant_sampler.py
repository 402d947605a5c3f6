"""The sampler of SGQuant (arXiv 2007.05100, section V), as a baseline."""

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial
from sklearn.tree import DecisionTreeRegressor

from sgq_auto.searching.samplers.base_sampler import InformedSampler
from sgq_auto.searching.samplers.candidates import random_positions, unseen
from sgq_auto.searching.samplers.measured_history import History
from sgq_auto.searching.samplers.parameter_grid import Grid
from sgq_auto.searching.samplers.prior_knowledge import Knowledge
from sgq_auto.searching.space.search_space import Positions
from sgq_auto.searching.trials.standing_trials import place
from sgq_auto.task import Metric


class PaperSampler(InformedSampler):
    """Auto-bit selection as its authors describe it.

    A first batch is random. From then on a regression tree is fitted to the bits and accuracies
    measured so far, it predicts many random allocations, and the best of them are the next batch:
    the smallest ones whose predicted accuracy is within the drop that is allowed, after them the
    most accurate ones.

    Args:
        seed: Seed; ``None`` draws one.
        knowledge: Sizes and full precision's accuracy; without them the measured ones serve.
        batch: Trials between two fits.
        candidates: Random allocations that are predicted for each batch.
        max_drop: Drop that is allowed, percentage points.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        knowledge: Knowledge | None = None,
        batch: int = 20,
        candidates: int = 2000,
        max_drop: float = 0.5,
    ) -> None:
        super().__init__(seed=seed, knowledge=knowledge, startup_trials=1)
        self._batch = batch
        self._candidates = candidates
        self._max_drop = max_drop

    def _proposal(self, study: optuna.Study, trial: FrozenTrial, grid: Grid) -> NDArray[np.int64]:
        """The allocation of the trial's rank in its batch."""
        rank = place(study, trial.number) % self._batch
        first = place(study, trial.number) - rank
        history = History.read(study, grid, trial.number, before=first)
        if not len(history.positions):
            return self._anywhere(grid, self._rng(first + rank))
        ranked = self._ranked(grid, history, first)
        proposal: NDArray[np.int64] = ranked[rank % len(ranked)]
        return proposal

    def _ranked(self, grid: Grid, history: History, first: int) -> Positions:
        """Random allocations, the best first; those that were measured only if all were."""
        rng = self._rng(first)
        drawn = random_positions(rng, grid.sizes, self._candidates)
        drawn = drawn[self.knowledge.kept_or_all(drawn)]
        fresh = unseen(drawn, history.positions)
        pool = fresh if len(fresh) else drawn
        tree = DecisionTreeRegressor(random_state=int(rng.integers(1 << 31)))
        accuracy = tree.fit(history.positions, history.accuracy).predict(pool)
        frame = self.knowledge.frame
        reference = frame.full_accuracy if frame else history.accuracy.max()
        metric = frame.metric if frame else Metric.ACCURACY
        within = accuracy >= metric.below(reference, self._max_drop)
        size = np.where(within, self._sizes(tree, history, pool), np.inf)
        return pool[np.lexsort((-accuracy, size))]

    def _sizes(
        self, tree: DecisionTreeRegressor, history: History, pool: Positions
    ) -> NDArray[np.float64]:
        known = self.knowledge.num_bytes(pool)
        if known is not None:
            return known
        sizes: NDArray[np.float64] = tree.fit(history.positions, history.size).predict(pool)
        return sizes
