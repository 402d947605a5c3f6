"""Runs trials of one study in one process."""

import time
from typing import Any

import optuna
from optuna.trial import TrialState

from sgq_auto.searching.records import RECORD, Measurement
from sgq_auto.searching.study import SamplerMaker, counted_trials
from sgq_auto.searching.workbench import Workbench


class TrialRunner:
    """Asks for trials, measures them and tells the study."""

    def __init__(self, bench: Workbench, study: optuna.Study) -> None:
        self.bench = bench
        self.study = study
        self._samplers = SamplerMaker(bench.settings)
        self._last = time.perf_counter()

    def ask(self) -> optuna.Trial:
        """A new trial with its parameters sampled."""
        self.study.sampler = self._samplers.at(len(counted_trials(self.study)))
        return self.study.ask(dict(self.bench.space.distributions()))

    def run(self, trial: optuna.Trial) -> None:
        """Measure a trial and tell the study; one that raises is recorded as failed."""
        try:
            measurement = self._known(trial) or self._measure(trial)
        except Exception as error:
            self._record(trial, {"failure": f"{type(error).__name__}: {error}"})
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self._record(trial, measurement.as_attr())
            objective = self.bench.settings.objective.value
            values = [measurement.val_accuracy, float(measurement.footprint[objective])]
            self.study.tell(trial, values)

    def _measure(self, trial: optuna.Trial) -> Measurement:
        return self.bench.measure(self.bench.space.allocation(trial.params))

    def _known(self, trial: optuna.Trial) -> Measurement | None:
        # An equal allocation under the same seed would train to the same result.
        for other in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if other.params == trial.params:
                known = other.user_attrs[RECORD]
                original = known["duplicate_of"]
                number = other.number if original is None else original
                attr = {**known, "finetune_seconds": 0.0, "duplicate_of": number}
                return Measurement.from_attr(attr)
        return None

    def _record(self, trial: optuna.Trial, attr: dict[str, Any]) -> None:
        now = time.perf_counter()
        trial.set_user_attr(RECORD, {**attr, "worker_seconds": now - self._last})
        self._last = now
