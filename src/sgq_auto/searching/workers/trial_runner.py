"""Runs trials of one study in one process."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.errors.user_code import described, full_traceback
from sgq_auto.searching.measuring.early_stopping import DominationStopper
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.optuna_internals import trial_id
from sgq_auto.searching.samplers import Knowledge
from sgq_auto.searching.study.study import make_sampler, records_of
from sgq_auto.searching.study_attributes import ESTIMATE, RECORD, REPEAT, TRACEBACK, own_attributes
from sgq_auto.searching.trials.repeated_measurements import Noise, repeat_is_due, worth_repeating
from sgq_auto.searching.trials.standing_trials import standing_as_asked, standing_trials
from sgq_auto.searching.trials.trial_claims import give_back, has_room, is_claimed
from sgq_auto.searching.trials.trial_records import Measurement, TrialRecord
from sgq_auto.searching.trials.worker_heartbeat import Heartbeat, WorkerIdentity
from sgq_auto.training import DivergedError


@dataclass(frozen=True)
class Failure:
    """Why a trial failed.

    Attributes:
        reason: In one line.
        traceback: Where its error was raised; ``None`` where that says nothing.
    """

    reason: str
    traceback: str | None = None


class TrialRunner:
    """Asks for trials, measures them and tells the study.

    Args:
        bench: What trials are measured with.
        study: The study.
        start: What was known before its first trial.
        knowledge: What samplers are told; ``None`` tells all that ``start`` knows.
        identity: Who it signs trials as; ``None`` for this process.
    """

    def __init__(
        self,
        bench: Workbench,
        study: optuna.Study,
        start: SearchStart,
        knowledge: Knowledge | None = None,
        identity: WorkerIdentity | None = None,
    ) -> None:
        self.bench = bench
        self.study = study
        self.start = start
        seconds = bench.settings.storage.heartbeat_seconds
        self._heartbeat = Heartbeat(study, identity or WorkerIdentity(), seconds)
        study.sampler = make_sampler(
            bench.settings, knowledge or start.knowledge, self._heartbeat.sign
        )
        self._last = time.perf_counter()

    def ask(self) -> optuna.Trial | None:
        """A new trial: an allocation again where one is due, else the sampler's.

        Returns:
            ``None`` where finished and running trials make up ``n_trials``, or the trial was given
            to another worker meanwhile.
        """
        n_trials = self.bench.settings.n_trials
        standing = standing_trials(self.study)
        if not has_room(standing, n_trials):
            return None
        self._enqueue_repeat(standing)
        try:
            trial = self.study.ask(dict(self.bench.space.distributions()))
            if is_claimed(self.study, trial.number, n_trials):
                return trial
        except UpdateFinishedTrialError:
            return None  # This process was taken for dead meanwhile.
        give_back(self.study, trial)
        return None

    def run(self, trial: optuna.Trial) -> None:
        """Measure a trial and tell the study; one that raises is recorded as failed.

        A trial that was given to another worker meanwhile is dropped.
        """
        with self._heartbeat.beating(trial_id(trial)):
            result = self._result(trial)
        with suppress(UpdateFinishedTrialError):
            self._tell(trial, result)

    def _result(self, trial: optuna.Trial) -> Measurement | Failure:
        """What a trial measured, or why it failed."""
        try:
            finished = records_of(standing_as_asked(self.study))
            return _known(trial, finished) or self._measure(trial, finished)
        except DivergedError as error:
            return Failure(described(error))
        except Exception as error:  # Whoever's fault it is, the study says where it was raised.
            return Failure(described(error), full_traceback(error))

    def _enqueue_repeat(self, standing: Sequence[FrozenTrial]) -> None:
        settings = self.bench.settings
        waiting, running = (
            [trial for trial in standing if trial.state == state]
            for state in (TrialState.WAITING, TrialState.RUNNING)
        )
        place, first = len(standing) - len(waiting), len(self.start.allocations)
        if waiting or not repeat_is_due(place, settings.n_trials, first, settings.remeasuring):
            return
        metric = self.bench.graph.metric
        lowest = metric.below(self.bench.pretrained.val_accuracy, settings.allowed_drop)
        records = self.bench.fitting([r for r in records_of(standing) if r.complete])
        member = worth_repeating(records, [t.params for t in running], lowest, metric)
        if member is not None:
            repeat = 1 + max(
                own_attributes(t.user_attrs).get(REPEAT, 0)
                for t in standing
                if t.params == member.params
            )
            self.study.enqueue_trial(member.params, {REPEAT: repeat})

    def _measure(self, trial: optuna.Trial, finished: Sequence[TrialRecord]) -> Measurement:
        allocation = self.bench.space.allocation(trial.params)
        repeat = own_attributes(trial.user_attrs).get(REPEAT, 0)
        stopper = None if repeat else self._stopper(trial, finished)
        return self.bench.measure(allocation, repeat, stopper)

    def _stopper(
        self, trial: optuna.Trial, finished: Sequence[TrialRecord]
    ) -> DominationStopper | None:
        settings = self.bench.settings
        if not settings.early_stopping:
            return None
        num_bytes = self.bench.num_bytes(trial.params)
        noise = Noise.of(finished).variance
        # What does not fit the device is no rival of what does.
        rivals = self.bench.fitting_device([r for r in finished if r.complete])
        return DominationStopper(settings.finetune.epochs, num_bytes, rivals, noise)

    def _tell(self, trial: optuna.Trial, result: Measurement | Failure) -> None:
        if isinstance(result, Failure):
            if result.traceback is not None:
                trial.set_user_attr(TRACEBACK, result.traceback)
            self._record(trial, {"failure": result.reason})
            self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self._tell_measured(trial, result)

    def _tell_measured(self, trial: optuna.Trial, measurement: Measurement) -> None:
        settings = self.bench.settings
        num_bytes = measurement.footprint[settings.objective.value]
        stopped = measurement.forecast is not None
        accuracy = measurement.forecast if stopped else measurement.val_accuracy
        assert accuracy is not None
        drop = self.bench.drop(accuracy)
        for name, excess in self.bench.violations(trial.params, drop).items():
            trial.set_constraint(name, excess)
        values = [accuracy, float(num_bytes)]
        self._record(trial, measurement.as_attr())
        if stopped:
            trial.set_user_attr(ESTIMATE, values)
            self.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
        else:
            self.study.tell(trial, values, skip_if_finished=True)

    def _record(self, trial: optuna.Trial, attr: dict[str, Any]) -> None:
        now = time.perf_counter()
        trial.set_user_attr(RECORD, {**attr, "worker_seconds": now - self._last})
        self._last = now


def _known(trial: optuna.Trial, finished: Sequence[TrialRecord]) -> Measurement | None:
    """What an equal allocation under the same seed measured: this one would train to it."""
    repeat = own_attributes(trial.user_attrs).get(REPEAT, 0)
    for other in finished:
        if other.complete and other.params == trial.params and other.repeat == repeat:
            assert other.measurement is not None
            original = other.measurement.duplicate_of
            number = other.number if original is None else original
            return replace(other.measurement, finetune_seconds=0.0, duplicate_of=number)
    return None
