"""Runs trials of one study in one process."""

import time
from contextlib import suppress
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from sgq_auto.searching.claims import give_back, has_room, is_claimed
from sgq_auto.searching.liveness import Heartbeat, WorkerIdentity
from sgq_auto.searching.records import RECORD, REPEAT, Measurement
from sgq_auto.searching.repeats import Noise, repeat_is_due, worth_repeating
from sgq_auto.searching.samplers import Knowledge
from sgq_auto.searching.samplers.history import ESTIMATE
from sgq_auto.searching.start import SearchStart
from sgq_auto.searching.stopping import DominationStopper
from sgq_auto.searching.study import counted_trials, finished_trials, make_sampler
from sgq_auto.searching.workbench import Workbench


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
            ``None`` where finished and running trials make up ``n_trials``.
        """
        n_trials = self.bench.settings.n_trials
        if not has_room(self.study, n_trials):
            return None
        self._enqueue_repeat(len(counted_trials(self.study)))
        trial = self.study.ask(dict(self.bench.space.distributions()))
        if is_claimed(self.study, trial.number, n_trials):
            return trial
        give_back(self.study, trial._trial_id)
        return None

    def run(self, trial: optuna.Trial) -> None:
        """Measure a trial and tell the study; one that raises is recorded as failed.

        A trial that was given to another worker meanwhile is dropped.
        """
        with self._heartbeat.beating(trial._trial_id):
            result = self._result(trial)
        with suppress(UpdateFinishedTrialError):
            self._tell(trial, result)

    def _result(self, trial: optuna.Trial) -> Measurement | str:
        """What a trial measured, or why it failed."""
        try:
            return self._known(trial) or self._measure(trial)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _enqueue_repeat(self, place: int) -> None:
        settings = self.bench.settings
        first = len(self.start.allocations)
        if not repeat_is_due(place, settings.n_trials, first, settings.remeasuring):
            return
        if self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lowest = self.bench.pretrained.val_accuracy - settings.allowed_drop / 100
        records = [r for r in finished_trials(self.study) if settings.budget.holds(r.num_bytes)]
        member = worth_repeating(records, [t.params for t in running], lowest)
        if member is not None:
            trials = self.study.get_trials(deepcopy=False)
            repeat = 1 + max(
                t.user_attrs.get(REPEAT, 0) for t in trials if t.params == member.params
            )
            self.study.enqueue_trial(member.params, {REPEAT: repeat})

    def _measure(self, trial: optuna.Trial) -> Measurement:
        allocation = self.bench.space.allocation(trial.params)
        repeat = trial.user_attrs.get(REPEAT, 0)
        return self.bench.measure(allocation, repeat, None if repeat else self._stopper(trial))

    def _stopper(self, trial: optuna.Trial) -> DominationStopper | None:
        settings = self.bench.settings
        if not settings.early_stopping:
            return None
        records = finished_trials(self.study)
        num_bytes = self.bench.num_bytes(trial.params)
        noise = Noise.of(records).variance
        return DominationStopper(settings.finetune.epochs, num_bytes, records, noise)

    def _known(self, trial: optuna.Trial) -> Measurement | None:
        # An equal allocation under the same seed would train to the same result.
        repeat = trial.user_attrs.get(REPEAT, 0)
        for other in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if other.params == trial.params and other.user_attrs.get(REPEAT, 0) == repeat:
                known = other.user_attrs[RECORD]
                original = known["duplicate_of"]
                number = other.number if original is None else original
                attr = {**known, "finetune_seconds": 0.0, "duplicate_of": number}
                return Measurement.from_attr(attr)
        return None

    def _tell(self, trial: optuna.Trial, result: Measurement | str) -> None:
        if isinstance(result, str):
            self._record(trial, {"failure": result})
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
        for name, excess in settings.budget.violations(num_bytes, drop).items():
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
