"""Which trials of a study stand: those that were not left, and that no other one replaces."""

import math
from collections.abc import Sequence

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.optuna_internals import trials_as_asked
from sgq_auto.searching.study_attributes import ESTIMATE, REPLACES, START, SUPERSEDED

Floats = NDArray[np.float64]

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


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
    return standing(trials_as_asked(study))


def place(study: optuna.Study, number: int) -> int:
    """How many trials that stand come before the one with this number."""
    return sum(trial.number < number for trial in standing_as_asked(study))


def pooled_variance(groups: Sequence[Floats]) -> float:
    """Variance inside groups, pooled over those of two or more; 0 without any."""
    freedom = sum(len(g) - 1 for g in groups)
    if not freedom:
        return 0.0
    return float(sum(((g - g.mean()) ** 2).sum() for g in groups) / freedom)


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with values or an estimate of them."""
    finished = (trial for trial in trials_as_asked(study) if trial.state in _FINISHED)
    return [trial for trial in finished if trial_values(trial) is not None]


def trial_values(trial: FrozenTrial) -> Floats | None:
    """Both objectives of a trial, or what they would have become; ``None`` without either."""
    estimate = trial.user_attrs.get(ESTIMATE) if trial.state == TrialState.PRUNED else None
    values = trial.values if trial.state == TrialState.COMPLETE else estimate
    if values is None or not all(map(math.isfinite, values)):
        return None
    return np.array(values, dtype=np.float64)
