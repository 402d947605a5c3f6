"""What a study has seen, as arrays: measured allocations, pooled over repeats, and pending ones."""

from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sgq_auto.searching.samplers.parameter_grid import Grid
from sgq_auto.searching.space.search_space import Positions
from sgq_auto.searching.trials.standing_trials import (
    Floats,
    pooled_variance,
    standing_as_asked,
    trial_values,
)


@dataclass(frozen=True, eq=False)
class History:
    """Trials of a study on a grid.

    Attributes:
        positions: ``[n, parameters]`` measured allocations, each once.
        accuracy: ``[n]`` mean of the first objective, signed so that more is better.
        size: ``[n]`` mean of the second one, signed so that less is better; 0 without one.
        repeats: ``[n]`` measurements of each.
        variance: Pooled variance of accuracies between repeats, 0 without any.
        pending: ``[m, parameters]`` allocations of running trials.
        failed: ``[k, parameters]`` allocations of failed trials.
    """

    positions: Positions
    accuracy: Floats
    size: Floats
    repeats: Floats
    variance: float
    pending: Positions
    failed: Positions

    @classmethod
    def read(
        cls, study: optuna.Study, grid: Grid, current: int, before: int | None = None
    ) -> "History":
        """The trials of ``study`` that lie on ``grid``.

        Args:
            study: Any study with one or two objectives.
            grid: The parameters to read.
            current: Number of the trial that is being sampled; left out.
            before: Leave out trials from this place on; ``None`` takes all.
        """
        maximised = np.array([d == StudyDirection.MAXIMIZE for d in study.directions])
        signs = np.where(maximised == (np.arange(maximised.size) == 0), 1.0, -1.0)
        others = [t for t in standing_as_asked(study)[:before] if t.number != current]
        on_grid, positions = grid.encode(others)
        rows: dict[bytes, list[Floats]] = {}
        where: dict[bytes, NDArray[np.int64]] = {}
        for trial, position in zip(on_grid, positions, strict=True):
            values = trial_values(trial)
            if values is not None:
                where[position.tobytes()] = position
                rows.setdefault(position.tobytes(), []).append(signs * values)
        groups = [np.array(row) for row in rows.values()]
        means = np.array([g.mean(axis=0) for g in groups]).reshape(-1, signs.size)
        return cls(
            positions=np.array(list(where.values()), dtype=np.int64).reshape(-1, grid.sizes.size),
            accuracy=means[:, 0],
            size=means[:, 1] if signs.size > 1 else np.zeros(len(means)),
            repeats=np.array([len(g) for g in groups], dtype=np.float64),
            variance=pooled_variance([g[:, 0] for g in groups]),
            pending=positions[[t.state == TrialState.RUNNING for t in on_grid]],
            failed=positions[[t.state == TrialState.FAIL for t in on_grid]],
        )
