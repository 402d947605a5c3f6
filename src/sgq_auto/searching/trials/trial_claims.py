"""Which trials count towards ``n_trials``, and what becomes of those that lost their worker.

Any number of workers on any number of machines claim trials of one study, without a lock. Trials
are numbered in the order in which they were made, and one counts if fewer than ``n_trials`` that
stand have lower numbers. Numbers only come from below, and trials that stand only become fewer, so
a claim once true stays true, and never are there more than ``n_trials`` of them.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.optuna_internals import storage_of, trial_id
from sgq_auto.searching.space.search_space import SearchSpace
from sgq_auto.searching.study_attributes import (
    DEATHS,
    LOST,
    REPEAT,
    REPLACES,
    START,
    SUPERSEDED,
    own_attributes,
)
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.trial_records import asked_params, awaits_retry

_CARRIED = (REPEAT, DEATHS, START, REPLACES)


def has_room(standing: Sequence[FrozenTrial], n_trials: int) -> bool:
    """Whether a trial that is asked for now would count, beside all that stand."""
    waiting = (trial.state == TrialState.WAITING for trial in standing[:n_trials])
    return len(standing) < n_trials or any(waiting)


def is_claimed(study: optuna.Study, number: int, n_trials: int) -> bool:
    """Whether the trial with this number counts."""
    return any(trial.number == number for trial in standing_trials(study)[:n_trials])


def give_back(study: optuna.Study, trial: optuna.Trial | FrozenTrial) -> None:
    """Leave a trial that does not count or has not begun."""
    with suppress(UpdateFinishedTrialError):  # Somebody else did.
        _fail(study, trial, SUPERSEDED, True)


def retire(study: optuna.Study, trial: FrozenTrial, space: SearchSpace, reason: str) -> None:
    """Take a trial from its dead worker."""
    if set(asked_params(trial)) != set(space.searched):
        give_back(study, trial)  # It had not been sampled yet.
        return
    with suppress(UpdateFinishedTrialError):  # Somebody else did, or it was finished after all.
        _fail(study, trial, LOST, reason)


def retry_lost(study: optuna.Study) -> None:
    """Run retired trials again, each once; the second time it has failed.

    Any number of processes may do this at once: of several retries the first one stands.
    """
    for trial in standing_trials(study, (TrialState.FAIL,)):
        if awaits_retry(trial):
            again = {REPLACES: trial.number, DEATHS: 1}
            study.enqueue_trial(asked_params(trial), _carried(trial) | again)


def requeue_stale(study: optuna.Study, space: SearchSpace) -> int:
    """Run again what a killed command left running; returns how many trials that is.

    Call it only where this command alone runs the study (its storage is not shared, and
    :class:`sgq_auto.searching.study.study_leader.Lead` was taken) and before its workers start:
    whatever is running then has lost its worker.
    """
    stale = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if not stale:
        return 0
    # Those that wait go behind, so that the study goes on in the order it would have had.
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for trial in [*stale, *waiting]:
        requeue(study, trial, space)
    return len(stale)


def requeue(study: optuna.Study, trial: FrozenTrial, space: SearchSpace) -> None:
    """Run a trial again whose worker was ended on purpose."""
    give_back(study, trial)
    params = asked_params(trial)
    # One that was ended while it was being sampled is sampled anew.
    if set(params) == set(space.searched):
        study.enqueue_trial(params, _carried(trial))


def _fail(
    study: optuna.Study, trial: optuna.Trial | FrozenTrial, attribute: str, value: object
) -> None:
    """End a trial as failed, with an attribute that says why.

    Raises:
        UpdateFinishedTrialError: If it has ended already.
    """
    storage, identifier = storage_of(study), trial_id(trial)
    storage.set_trial_user_attr(identifier, attribute, value)
    storage.set_trial_state_values(identifier, TrialState.FAIL)


def _carried(trial: FrozenTrial) -> dict[str, Any]:
    attrs = own_attributes(trial.user_attrs)
    return {name: attrs[name] for name in _CARRIED if name in attrs}
