"""Auto-bit selection: trees that predict accuracy, sizes that are known, the front's growth.

The successor of the sampler of SGQuant (arXiv 2007.05100, section V).
"""

import numpy as np
import optuna
from numpy.random import Generator
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from sgq_auto.searching.samplers.acquisition import Model
from sgq_auto.searching.samplers.base_sampler import InformedSampler
from sgq_auto.searching.samplers.candidates import mutated, neighbours, random_positions, unseen
from sgq_auto.searching.samplers.measured_history import History
from sgq_auto.searching.samplers.parameter_grid import Grid
from sgq_auto.searching.samplers.prior_knowledge import Knowledge
from sgq_auto.searching.space.search_space import Positions
from sgq_auto.searching.trials.standing_trials import place

# Steps uphill from the best candidates, and how many of them take one.
_CLIMBS = 3
_CLIMBERS = 10


class AutoBitSampler(InformedSampler):
    """Proposes the allocation whose expected hypervolume gain is largest.

    The first objective (accuracy) is predicted by extremely randomised trees with their
    uncertainty; the second (bytes) is exact where ``knowledge`` has sizes, else predicted. A study
    with one objective maximises the expected improvement. Trials that run elsewhere count as if
    they had reached their prediction. An allocation is proposed once, as long as there are others.

    Args:
        seed: Seed; ``None`` draws one.
        knowledge: What is known about allocations before training.
        startup_trials: Finished trials before the first prediction; until then draws are random.
        candidates: Allocations that are predicted for each proposal, besides the steps uphill
            from the best of them.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        knowledge: Knowledge | None = None,
        startup_trials: int = 10,
        candidates: int = 2000,
    ) -> None:
        super().__init__(seed=seed, knowledge=knowledge, startup_trials=startup_trials)
        self._candidates = candidates

    def _proposal(self, study: optuna.Study, trial: FrozenTrial, grid: Grid) -> NDArray[np.int64]:
        """The most promising of all positions that are not taken yet."""
        rng = self._rng(place(study, trial.number))
        history = History.read(study, grid, trial.number)
        if not len(history.positions):
            return self._anywhere(grid, rng)
        model = Model.fit(history, self.knowledge, int(rng.integers(1 << 31)))
        return self._best(grid, history, model, rng)

    def _best(
        self, grid: Grid, history: History, model: Model, rng: Generator
    ) -> NDArray[np.int64]:
        taken = np.concatenate([history.positions, history.pending, history.failed])
        pool = self._pool(grid, model, rng, taken)
        if not len(pool):
            any_best: NDArray[np.int64] = rng.choice(model.front)
            return any_best
        gains = model.gains(pool)
        for _ in range(_CLIMBS):
            best = pool[np.argsort(-gains, kind="stable")[:_CLIMBERS]]
            uphill = unseen(neighbours(best, grid.sizes), np.concatenate([taken, pool]))
            uphill = self.knowledge.kept(uphill)
            pool = np.concatenate([pool, uphill])
            gains = np.concatenate([gains, model.gains(uphill)])
        best_of_all: NDArray[np.int64] = pool[gains.argmax()]
        return best_of_all

    def _pool(self, grid: Grid, model: Model, rng: Generator, taken: Positions) -> Positions:
        """Random allocations and relatives of the front, within the bounds and not taken."""
        count = self._candidates // 2
        drawn = random_positions(rng, grid.sizes, count)
        bred = mutated(rng, model.front, grid.sizes, self._candidates - count)
        return self.knowledge.kept(unseen(np.concatenate([drawn, bred]), taken))
