"""What a study has seen, as arrays: measured allocations, pooled over repeats, and pending ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.samplers.grid import Grid, Positions

Floats = NDArray[np.float64]

# User attribute of a trial that was left: it does not count.
SUPERSEDED = "sgq_auto:superseded"
# User attribute that names, by its number, the trial that this one is instead of.
REPLACES = "sgq_auto:replaces"
# User attribute of the allocations that a study starts with: the place among them.
START = "sgq_auto:start"
# User attribute of a pruned trial: what its values would have become.
ESTIMATE = "sgq_auto:estimate"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


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
            values = _values(trial)
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


def standing_trials(
    study: optuna.Study, states: tuple[TrialState, ...] | None = None
) -> list[FrozenTrial]:
    """The :func:`standing` trials of a study, in any of ``states`` (``None`` for all)."""
    trials = standing(study.get_trials(deepcopy=False))
    return trials if states is None else [trial for trial in trials if trial.state in states]


def standing(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those of a study's trials that no other one replaces, in order.

    Where several workers began a study, or replaced a trial, at the same moment, the first of
    their trials stands.
    """
    replaced = {trial.user_attrs.get(REPLACES) for trial in trials}
    taken: set[tuple[str, int]] = set()
    found = []
    for trial in trials:
        attrs = trial.user_attrs
        roles = {(name, attrs[name]) for name in (START, REPLACES) if name in attrs}
        if SUPERSEDED in attrs or trial.number in replaced or roles & taken:
            continue
        taken |= roles
        found.append(trial)
    return found


def standing_as_asked(study: optuna.Study) -> list[FrozenTrial]:
    """The :func:`standing` trials as they were when this process asked for one."""
    return standing(_as_asked(study))


def place(study: optuna.Study, number: int) -> int:
    """How many trials that stand come before the one with this number."""
    return sum(trial.number < number for trial in standing_as_asked(study))


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with values or an estimate of them."""
    finished = (trial for trial in _as_asked(study) if trial.state in _FINISHED)
    return [trial for trial in finished if _values(trial) is not None]


def _as_asked(study: optuna.Study) -> list[FrozenTrial]:
    """The study's trials as they were when this process asked for one: one read for each trial."""
    trials: list[FrozenTrial] = study._get_trials(deepcopy=False, use_cache=True)
    return trials


def pooled_variance(groups: Sequence[Floats]) -> float:
    """Variance inside groups, pooled over those of two or more; 0 without any."""
    freedom = sum(len(g) - 1 for g in groups)
    if not freedom:
        return 0.0
    return float(sum(((g - g.mean()) ** 2).sum() for g in groups) / freedom)


def _values(trial: FrozenTrial) -> Floats | None:
    estimate = trial.user_attrs.get(ESTIMATE) if trial.state == TrialState.PRUNED else None
    values = trial.values if trial.state == TrialState.COMPLETE else estimate
    if values is None or not all(map(math.isfinite, values)):
        return None
    return np.array(values, dtype=np.float64)
