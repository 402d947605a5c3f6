"""What this project's samplers have in common: a grid, random starts, reproducible draws."""

import zlib
from abc import abstractmethod
from typing import Any

import numpy as np
import optuna
from numpy.random import Generator
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial

from sgq_auto.searching.samplers.candidates import narrowing_positions, random_positions
from sgq_auto.searching.samplers.parameter_grid import Grid
from sgq_auto.searching.samplers.prior_knowledge import Knowledge
from sgq_auto.searching.trials.standing_trials import finished_trials, place

# Random allocations that are looked at together for one within the bounds.
_DRAWN_TOGETHER = 256


class InformedSampler(BaseSampler):
    """A sampler that uses what is known before training.

    It keeps no state: a proposal depends on the seed, the trial and the study's other trials.
    Parameters of any kind are positions on a grid.

    Args:
        seed: Seed; ``None`` draws one.
        knowledge: What is known about allocations before training.
        startup_trials: Finished trials before the first prediction; until then draws are random.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        knowledge: Knowledge | None = None,
        startup_trials: int = 10,
    ) -> None:
        self.knowledge = knowledge or Knowledge()
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._startup_trials = startup_trials
        self._search_space = IntersectionSearchSpace(include_pruned=True)

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """The parameters that all finished trials share, once there are enough trials.

        Where allocations have bounds, at once: parameters are then drawn together.

        Raises:
            ValueError: If the study has more than two objectives.
        """
        if len(study.directions) > 2:
            raise ValueError(f"{type(self).__name__}: a study has one or two objectives")
        finished = finished_trials(study)
        # One by one, parameters cannot be drawn within a bound on all of them.
        if len(finished) < self._startup_trials and self.knowledge.within is None:
            return {}
        # The search space remembers where it was; it decides nothing by that.
        return self._search_space.calculate(study)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposal, on the grid whose columns are those of the knowledge."""
        if not search_space:
            return {}
        grid = Grid(self.knowledge.ordered(search_space))
        if len(finished_trials(study)) < self._startup_trials:
            drawn = self._anywhere(grid, self._rng(place(study, trial.number)))
            return grid.decode(drawn)
        return grid.decode(self._proposal(study, trial, grid))

    @abstractmethod
    def _proposal(self, study: optuna.Study, trial: FrozenTrial, grid: Grid) -> NDArray[np.int64]:
        """Positions ``[parameters]`` for a trial."""

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value, for the first trials and for parameters that not all trials have."""
        grid = Grid({param_name: param_distribution})
        rng = self._rng(place(study, trial.number), param_name)
        return grid.decode(self._anywhere(grid, rng))[param_name]

    def _anywhere(self, grid: Grid, rng: Generator) -> NDArray[np.int64]:
        """Random positions ``[parameters]``; within the bounds, if the grid is the study's."""
        within = self.knowledge.within
        if within is None or len(grid.sizes) != len(self.knowledge.parameters):
            one: NDArray[np.int64] = random_positions(rng, grid.sizes, 1)[0]
            return one
        for drawn in narrowing_positions(rng, grid.sizes, _DRAWN_TOGETHER):
            kept = np.flatnonzero(within(drawn))
            if kept.size:
                break
        found: NDArray[np.int64] = drawn[kept[0] if kept.size else 0]
        return found

    def _rng(self, place: int, name: str = "") -> Generator:
        return np.random.default_rng([self._seed, place, zlib.crc32(name.encode())])
