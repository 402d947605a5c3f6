"""A finished trial, as it is read back from its study."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

# The user attribute that holds a trial's measurement: one write a trial.
RECORD = "record"
# Marks a trial that a killed process left behind; its parameters were enqueued again.
SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Measurement:
    """What a trial measured.

    Attributes:
        val_accuracy: Best validation accuracy, 0..1.
        footprint: The four footprints by name, bytes.
        average_bits: Element-weighted mean bits.
        curve: ``(epoch, validation accuracy)`` pairs.
        finetune_seconds: Wall time of fine-tuning; 0 for a duplicate.
        duplicate_of: The trial with the same allocation whose result this one took over.
    """

    val_accuracy: float
    footprint: dict[str, int]
    average_bits: float
    curve: tuple[tuple[int, float], ...]
    finetune_seconds: float
    duplicate_of: int | None = None

    @classmethod
    def from_attr(cls, attr: dict[str, Any]) -> "Measurement":
        """Read what :meth:`as_attr` wrote."""
        fields = {name: attr[name] for name in cls.__dataclass_fields__}
        fields["curve"] = tuple((int(epoch), float(acc)) for epoch, acc in attr["curve"])
        return cls(**fields)

    def as_attr(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes:
        number: The trial's number in the study.
        params: Ladder positions by group.
        num_bytes: Bytes under the objective, 0 for a failed trial.
        measurement: What it measured, ``None`` for a failed trial.
        worker_seconds: Wall time of the worker for this trial, everything included.
        failure: Why the trial failed, or ``None``.
        start_ms: When it started, milliseconds since the epoch.
        end_ms: When it ended.
    """

    number: int
    params: dict[str, int]
    num_bytes: int
    measurement: Measurement | None
    worker_seconds: float
    failure: str | None
    start_ms: int
    end_ms: int

    @property
    def val_accuracy(self) -> float:
        """Best validation accuracy, NaN for a failed trial."""
        return math.nan if self.measurement is None else self.measurement.val_accuracy

    @property
    def complete(self) -> bool:
        """Whether the trial was measured."""
        return self.measurement is not None

    @classmethod
    def from_trial(cls, trial: FrozenTrial) -> "TrialRecord":
        """Read a finished trial."""
        attr = trial.user_attrs.get(RECORD, {})
        complete = trial.state == TrialState.COMPLETE
        return cls(
            number=trial.number,
            params={name: int(index) for name, index in trial.params.items()},
            num_bytes=int(trial.values[1]) if complete else 0,
            measurement=Measurement.from_attr(attr) if complete else None,
            worker_seconds=attr.get("worker_seconds", 0.0),
            failure=None if complete else attr.get("failure", "the worker died"),
            start_ms=int(trial.datetime_start.timestamp() * 1000) if trial.datetime_start else 0,
            end_ms=int(trial.datetime_complete.timestamp() * 1000)
            if trial.datetime_complete
            else 0,
        )
