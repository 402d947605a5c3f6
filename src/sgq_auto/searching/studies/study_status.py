"""What a study is doing now: its workers, how fast it goes, and what has failed."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from sgq_auto.searching.studies.reopen_study import Reopened
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.searching.trials.worker_heartbeat import WorkerIdentity

# Trials that the rate is measured over: it follows workers that come and go.
_RECENT = 30


@dataclass(frozen=True)
class RunningTrial:
    """A trial that somebody runs.

    Attributes:
        number: Its number.
        worker: Who signed it; ``None`` in the moment before.
        seconds: How long it has been running.
    """

    number: int
    worker: WorkerIdentity | None
    seconds: float


@dataclass(frozen=True)
class Status:
    """A study at one moment.

    Attributes:
        running: Trials that run.
        finished: How many are finished.
        n_trials: How many there are to be.
        trials_per_second: Over the last trials, until now; ``None`` before there are two.
        failures: How many trials failed for each reason.
        tracebacks: Where the first error of each of these reasons was raised.
        ended: Whether a search of it has ended with a summary.
    """

    running: tuple[RunningTrial, ...]
    finished: int
    n_trials: int
    trials_per_second: float | None
    failures: dict[str, int]
    ended: bool
    tracebacks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Reopened) -> "Status":
        """The status of a study, by the clock of this machine."""
        now = time.time()
        records = found.progress.records
        return cls(
            running=tuple(_running(found.study, now)),
            finished=len(records),
            n_trials=found.progress.bench.settings.n_trials,
            trials_per_second=_rate(records, now),
            failures=dict(Counter(r.failure for r in records if r.failure is not None)),
            ended=found.summary is not None,
            tracebacks={
                r.failure: r.traceback for r in reversed(records) if r.failure and r.traceback
            },
        )

    @property
    def seconds_left(self) -> float | None:
        """Until the last trial at this rate; ``None`` where nothing runs."""
        if not self.running or not self.trials_per_second:
            return None
        return (self.n_trials - self.finished) / self.trials_per_second


def _running(study: optuna.Study, now: float) -> Iterator[RunningTrial]:
    """Trials that run, less those whose process is seen to be gone."""
    for trial in standing_trials(study, (TrialState.RUNNING,)):
        worker, start = WorkerIdentity.of(trial), trial.datetime_start
        if worker is None or not worker.ended:
            seconds = now - start.timestamp() if start else 0.0
            yield RunningTrial(trial.number, worker, seconds)


def _rate(records: Sequence[TrialRecord], now: float) -> float | None:
    ends = sorted(record.end_ms / 1000 for record in records)[-_RECENT:]
    if len(ends) < 2 or now <= ends[0]:
        return None
    return (len(ends) - 1) / (now - ends[0])
