"""The Optuna study: how it is made, continued and read."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import hydra.utils
import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.errors import InputError
from sgq_auto.searching.records import RECORD, REPEAT, TrialRecord
from sgq_auto.searching.samplers import InformedSampler, Knowledge
from sgq_auto.searching.samplers.history import SUPERSEDED, standing_trials
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.space import SearchSpace

_COUNTED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING)
_FINISHED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


def open_study(settings: SearchSettings, folder: Path, name: str) -> optuna.Study:
    """Create the study, or load the one that is there."""
    try:
        study = optuna.create_study(
            storage=settings.storage.open(folder),
            study_name=name,
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
    except ModuleNotFoundError as error:
        raise InputError(
            f"storage={settings.storage.kind}: {error}; run: pip install 'sgq-auto[postgresql]'"
        ) from error
    except optuna.exceptions.StorageInternalError as error:
        raise InputError(f"storage={settings.storage.kind}: {error}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["val_accuracy", settings.objective.value])
    return study


def enqueue_start(study: optuna.Study, start: Sequence[dict[str, int]]) -> None:
    """Let a new study begin with these allocations; one that has trials stays as it is."""
    if not study.get_trials(deepcopy=False):
        for params in start:
            study.enqueue_trial(params)


@contextmanager
def only_runner(folder: Path) -> Iterator[None]:
    """Hold a study's folder for one command.

    Raises:
        InputError: If another command runs the same study.
    """
    lock = FileLock(folder / "running.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"another command is running this study ({folder}); wait for it, or give this one "
            "another seed"
        ) from error
    try:
        yield
    finally:
        lock.release()


def counted_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count towards ``n_trials``: finished or running, not superseded."""
    return standing_trials(study, _COUNTED)


def finished_trials(study: optuna.Study) -> list[TrialRecord]:
    """Every finished trial, in order; superseded ones are left out."""
    return [TrialRecord.from_trial(trial) for trial in standing_trials(study, _FINISHED)]


def requeue_stale(study: optuna.Study, space: SearchSpace) -> int:
    """Run again what a killed command left running; returns how many trials that is.

    Call it only under :func:`only_runner`, when no worker is alive.
    """
    stale = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if not stale:
        return 0
    # Those that wait go behind, so that the study goes on in the order it would have had.
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for trial in [*stale, *waiting]:
        study._storage.set_trial_user_attr(trial._trial_id, SUPERSEDED, True)
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        params = trial.params if trial.state == TrialState.RUNNING else _fixed(trial)
        # One that was killed while it was being sampled is sampled anew.
        if set(params) == set(space.searched):
            attrs = {name: trial.user_attrs[name] for name in (REPEAT,) if name in trial.user_attrs}
            study.enqueue_trial(params, attrs)
    return len(stale)


def _fixed(trial: FrozenTrial) -> dict[str, Any]:
    """Parameters of an enqueued trial that has not begun."""
    fixed: dict[str, Any] = trial.system_attrs.get("fixed_params", {})
    return fixed


def fail_orphans(study: optuna.Study, reason: str) -> None:
    """Record the trials of workers that died as failed."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study._storage.set_trial_user_attr(trial._trial_id, RECORD, {"failure": reason})
        study.tell(trial.number, state=TrialState.FAIL)


class SamplerMaker:
    """Makes the sampler of each trial.

    Its draw depends on the seed, the trial's place and the finished trials alone, so that a study
    that was killed goes on exactly as it would have.

    Args:
        settings: The search.
        knowledge: What samplers of this project are told.
    """

    def __init__(self, settings: SearchSettings, knowledge: Knowledge | None = None) -> None:
        self.settings = settings
        self.knowledge = knowledge
        self._make = self._checked(
            lambda: hydra.utils.instantiate({**settings.sampler, "_partial_": True})
        )

    def at(self, place: int) -> BaseSampler:
        """The sampler for the trial at ``place``.

        Raises:
            InputError: If the sampler's class or arguments are wrong.
        """
        if self._informed is not None:
            return self._informed
        sequence = np.random.SeedSequence([self.settings.seed, place])
        seed = int(sequence.generate_state(1)[0])
        sampler: BaseSampler = self._checked(lambda: self._make(seed=seed))
        return sampler

    @cached_property
    def _informed(self) -> InformedSampler | None:
        """A sampler that sees the trial's place itself serves all trials."""
        if not (isinstance(self._make.func, type) and issubclass(self._make.func, InformedSampler)):
            return None
        sampler: InformedSampler = self._checked(
            lambda: self._make(seed=self.settings.seed, knowledge=self.knowledge)
        )
        return sampler

    def _checked(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Exception as error:
            cause = " ".join(str(error.__cause__ or error).split())
            raise InputError(f"sampler={self.settings.sampler_name}: {cause}") from error
