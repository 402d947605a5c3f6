"""What a search answers: its front confirmed, and the point that it recommends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sgq_auto.errors import InputError
from sgq_auto.searching.command_stages import OnStage
from sgq_auto.searching.confirming.choose_points import choose_between, choose_points
from sgq_auto.searching.confirming.confirm import confirm, confirmed_rows
from sgq_auto.searching.confirming.confirmed_allocation import Confirmed, holds
from sgq_auto.searching.confirming.pack_trial import Point, pack_point
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import StudyProgress
from sgq_auto.searching.settings.promise_settings import Promise
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.trials.repeated_measurements import Estimate, estimates
from sgq_auto.training import DivergedError

# Of full precision (``None``), its distilled twin, and points by the number of their trial.
Results = Mapping[int | None, Confirmed]


@dataclass
class Answer:
    """What the confirm stage has found so far; it stays where a later round fails.

    Attributes:
        points: The points that it confirms.
        results: Their results, as far as they are there.
        artifact: The recommended point's artifact, or why there is none.
    """

    points: list[Estimate] = field(default_factory=list)
    results: dict[int | None, Confirmed] = field(default_factory=dict)
    artifact: Path | str | None = None

    @property
    def confirmed(self) -> list[Estimate]:
        """The points that have results; fewer than ``points`` where a round failed."""
        return [p for p in self.points if p.number in self.results]

    def recommended(self, settings: SearchSettings) -> Estimate | None:
        """The smallest confirmed point that keeps the promise; ``None`` if none does."""
        return choose_recommended(self.confirmed, self.results, settings.promise)


def choose_recommended(
    confirmed: Sequence[Estimate], results: Results, promise: Promise
) -> Estimate | None:
    """The smallest confirmed point whose artifact keeps the promise."""
    within = [p for p in confirmed if holds(results[p.number], promise)]
    return min(within, key=lambda p: p.num_bytes, default=None)


def confirm_front(
    folder: StudyFolder,
    progress: StudyProgress,
    answer: Answer,
    on_stage: OnStage,
) -> None:
    """Confirm the front, and then one more point at a time where the recommended one ends."""
    bench, settings = progress.bench, progress.bench.settings
    measured = bench.fitting(estimates(progress.records))
    full_accuracy, allowed = bench.pretrained.val_accuracy, settings.allowed_drop
    metric = bench.graph.metric
    answer.points = choose_points(measured, full_accuracy, allowed, settings.confirm, metric)
    count = len(answer.points)
    text = f"confirming {count} point{'' if count == 1 else 's'} on fresh seeds"
    answer.results |= confirm(settings, folder, answer.points, on_stage, text, metric)
    for number in range(1, settings.confirm.refinements + 1):
        results = answer.results
        # A point that diverged has no result: it does not hold.
        tried = [
            (p, p.number in results and holds(results[p.number], settings.promise))
            for p in answer.points
        ]
        further = choose_between(measured, tried)
        if further is None:
            return
        answer.points = sorted([*answer.points, further], key=lambda p: p.num_bytes)
        text = f"refining: trial {further.number}, round {number} of at most "
        text += str(settings.confirm.refinements)
        answer.results |= confirm(settings, folder, answer.points, on_stage, text, metric)


def pack_recommended(bench: Workbench, folder: StudyFolder, answer: Answer) -> Path | str | None:
    """The recommended point's artifact, or why there is none."""
    settings = bench.settings
    chosen = answer.recommended(settings)
    if chosen is None:
        return None
    if bench.unpackable is not None:
        return f"this model cannot be packed: {bench.unpackable}"
    try:
        rows = confirmed_rows(folder, settings, chosen.number, chosen.params)
        return pack_point(settings, folder, Point.confirmed(chosen.number, chosen.params, rows))
    except (InputError, DivergedError, OSError) as error:
        # What was found stays found.
        return f"it could not be packed: {error}"
