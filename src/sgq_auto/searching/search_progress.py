"""A running study as its watchers see it: finished trials, front and hypervolume."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.searching.command_stages import OnStage, Stage
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.space.pareto_front import pareto_front
from sgq_auto.searching.trials.repeated_measurements import Estimate, Noise, estimates
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.searching.tuning import Tuning

Summary = dict[str, Any]
"""The content of ``summary.json``."""


class StudyProgress:
    """The finished trials of a study, in the order in which they were seen.

    Attributes:
        study_name: The study's name.
        bench: What its trials are measured with.
        start: What was known before its first trial.
        frame: The frame of its hypervolume.
        records: Finished trials.
        hypervolumes: Hypervolume after each of them.
        tuning: What tuning found before the search, if it was tuned.
        leads: Whether this command leads the study: it tracks, confirms and sums up.
    """

    def __init__(self, study_name: str, bench: Workbench, start: SearchStart) -> None:
        self.study_name = study_name
        self.start = start
        self.bench = bench
        self.frame = bench.frame
        self.records: list[TrialRecord] = []
        self.hypervolumes: list[float] = []
        self.tuning: Tuning | None = None
        self.leads = True
        self._front: list[Estimate] = []

    def add(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Take in finished trials; returns those that are new."""
        seen = {record.number for record in self.records}
        new = [record for record in records if record.number not in seen]
        for record in new:
            self.records.append(record)
            if record.complete:
                self._front = pareto_front(self._within_budget())
            self.hypervolumes.append(self.frame.hypervolume(self._front))
        return new

    def snapshot(self) -> "StudyProgress":
        """The progress as it is now, for another thread."""
        taken = copy.copy(self)
        taken.records, taken.hypervolumes = self.records.copy(), self.hypervolumes.copy()
        return taken

    @property
    def front(self) -> Sequence[Estimate]:
        """The Pareto-optimal allocations within the budget, smallest first."""
        return self._front

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front now, 0..1; 0 before the first measurement.

        The frame is fixed (see :class:`Frame`), so that values of different studies compare.
        """
        return self.hypervolumes[-1] if self.hypervolumes else 0.0

    @property
    def noise(self) -> Noise:
        """What repeated measurements say about the noise of accuracies."""
        return Noise.of(self.records)

    @property
    def full_bytes(self) -> int:
        """Bytes of full precision in PyG under the objective."""
        return self.frame.full_bytes

    def best_within(self, tolerance: float) -> Estimate | None:
        """The smallest allocation whose validation drop is within ``tolerance`` points."""
        lowest = self.bench.graph.metric.below(self.bench.pretrained.val_accuracy, tolerance)
        return next((r for r in self._front if r.val_accuracy >= lowest - 1e-12), None)

    def allocation(self, point: TrialRecord | Estimate) -> BitAllocation:
        """The bits of every site in a trial."""
        return self.bench.space.allocation(point.params)

    def _within_budget(self) -> list[Estimate]:
        budget, drop = self.bench.settings.budget, self.bench.drop
        found = estimates(self.records)
        kept = [e for e in found if budget.keeps(e.num_bytes, drop(e.val_accuracy))]
        return self.bench.fitting_device(kept)


class Watcher:
    """Something that follows a search: a tracking store, a terminal.

    Whoever derives from it writes only the methods that it acts on: the others do nothing.
    """

    def stage(self, stage: Stage | None) -> None:
        """A stage begins, or goes on; ``None``: nothing is under way. Before ``started`` too."""

    def said(self, line: str) -> None:
        """Something that people should know now. Before ``started`` too."""

    def started(self, progress: StudyProgress) -> None:
        """The study is open; ``progress`` holds the trials it already had."""

    def left(self, progress: StudyProgress) -> None:
        """The trials of a study that another command leads are done, or this one was ended."""

    def trials_finished(self, progress: StudyProgress, new: Sequence[TrialRecord]) -> None:
        """Trials finished; called a few times a second, ``new`` may be empty."""

    def finished(self, progress: StudyProgress, summary: Summary) -> None:
        """The search ended, or was interrupted: the last chance to write what was found."""


def announce(watchers: Sequence[Watcher]) -> OnStage:
    """What tells every watcher of a stage."""

    def on_stage(stage: Stage) -> None:
        for watcher in watchers:
            watcher.stage(stage)

    return on_stage


def say(watchers: Sequence[Watcher], line: str | None) -> None:
    """Tell every watcher something, if there is something."""
    for watcher in watchers if line else ():
        watcher.said(line or "")
