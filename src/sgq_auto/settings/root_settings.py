"""The settings at the root of ``conf/config.yaml``, and their closed choices."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sgq_auto.errors import InputError
from sgq_auto.objective import Objective
from sgq_auto.task import Metric, Task


class RangeMode(StrEnum):
    """How the ranges of codes are found."""

    MINMAX = "minmax"
    LEARNED = "learned"


@dataclass(frozen=True, kw_only=True)
class RootSettings:
    """The settings of a search that are in no section.

    Attributes:
        output_root: Folder of studies and cached weights.
        ladder: Allowed bit-widths.
        seed: Seed of everything random.
        n_trials: Trials of the study in all.
        workers: Processes.
        device: Where models train, as torch names it.
        task: What is predicted; ``None`` tells it from the labels.
        metric: What a model is judged by; ``None`` takes the usual metric of the task.
        tolerance: Accuracy (or points of the metric, or per cent of the mean absolute error) that
            the recommended artifact may lose, percentage points.
        confidence: Probability, 0..1, that it loses no more on unseen nodes.
        teachers: Full-precision models whose mean prediction teaches fine-tuning.
        seeding: Allocations that sensitivities propose before the first trial; 0 measures none.
        early_stopping: Whether trials that a smaller one has all but beaten stop.
        remeasuring: Share of the trials, the last ones, that measure the front again.
        objective: The bytes to minimise.
        ranges: How ranges of codes are found.
    """

    output_root: Path
    ladder: tuple[int, ...]
    seed: int = 0
    n_trials: int = 100
    workers: int = 1
    device: str = "cpu"
    task: Task | None = None
    metric: Metric | None = None
    tolerance: float = 0.4
    confidence: float = 0.9
    teachers: int = 4
    seeding: int = 8
    early_stopping: bool = True
    remeasuring: float = 0.1
    objective: Objective = Objective.RESIDENT_BYTES
    ranges: RangeMode = RangeMode.LEARNED

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: One line that names the value and what is allowed.
        """
        for name in ("n_trials", "workers", "teachers"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: it must be at least 1")
        if not self.tolerance >= 0:
            raise InputError(f"tolerance={self.tolerance}: it must be 0 or more percentage points")
        if not 0.5 <= self.confidence < 1:
            raise InputError(
                f"confidence={self.confidence}: it must be 0.5 or more, and less than 1"
            )
        if self.task and self.metric and self.metric not in self.task.metrics:
            choices = ", ".join(self.task.metrics)
            raise InputError(f"metric={self.metric}: for task={self.task} choose one of {choices}")
        if self.seeding < 0:
            raise InputError(f"seeding={self.seeding}: it must be 0 (none) or more allocations")
        if not 0 <= self.remeasuring <= 0.5:
            raise InputError(f"remeasuring={self.remeasuring}: it must lie in 0 (none) to 0.5")
        if self.seed < 0:
            raise InputError(f"seed={self.seed}: it must be 0 or more")
