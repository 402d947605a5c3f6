"""A finished trial, as it is read back from its study."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.study_attributes import (
    DEATHS,
    ESTIMATE,
    LOST,
    ORIGIN,
    RECORD,
    REPEAT,
    TRACEBACK,
    own_attributes,
)


@dataclass(frozen=True)
class Origin:
    """Where a trial of a merged study was measured.

    Attributes:
        study: The study.
        trial: Its number there.
        seed: The seed of that study.
        repeat: How often its allocation had been measured there before.
    """

    study: str
    trial: int
    seed: int
    repeat: int


@dataclass(frozen=True)
class Measurement:
    """What a trial measured.

    Attributes:
        val_accuracy: Validation accuracy of the epoch that fine-tuning kept, 0..1.
        footprint: The four footprints by name, bytes.
        average_bits: Element-weighted mean bits.
        curve: ``(epoch, validation accuracy)`` pairs.
        finetune_seconds: Wall time of fine-tuning; 0 for a duplicate.
        duplicate_of: The trial with the same allocation whose result this one took over.
        forecast: The final accuracy that a trial stopped early was heading for; ``None`` for one
            that ran to its end.
    """

    val_accuracy: float
    footprint: dict[str, int]
    average_bits: float
    curve: tuple[tuple[int, float], ...]
    finetune_seconds: float
    duplicate_of: int | None = None
    forecast: float | None = None

    @classmethod
    def from_attr(cls, attr: dict[str, Any]) -> "Measurement":
        """Rebuild a measurement from a trial's attribute; the curve's pairs become tuples again."""
        fields = {name: attr[name] for name in cls.__dataclass_fields__}
        fields["curve"] = tuple((int(epoch), float(acc)) for epoch, acc in attr["curve"])
        return cls(**fields)

    def as_attr(self) -> dict[str, Any]:
        """The fields as Optuna keeps them on a trial: values of JSON only."""
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
        repeat: How often its allocation had been measured before, on purpose.
        origin: Where it was measured, in a merged study.
        traceback: Where the error that it failed by was raised, or ``None``.
    """

    number: int
    params: dict[str, int]
    num_bytes: int
    measurement: Measurement | None
    worker_seconds: float
    failure: str | None
    start_ms: int
    end_ms: int
    repeat: int = 0
    origin: Origin | None = None
    traceback: str | None = None

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy where training ended, NaN for a failed trial."""
        return math.nan if self.measurement is None else self.measurement.val_accuracy

    @property
    def complete(self) -> bool:
        """Whether the trial was measured in full."""
        return self.measurement is not None and self.measurement.forecast is None

    @property
    def stopped_early(self) -> bool:
        """Whether the trial was stopped at a rung."""
        return self.measurement is not None and self.measurement.forecast is not None

    @property
    def duplicate(self) -> bool:
        """Whether the trial took its result over from another one."""
        return self.measurement is not None and self.measurement.duplicate_of is not None

    @classmethod
    def from_trial(cls, trial: FrozenTrial) -> "TrialRecord":
        """Read a finished trial, whatever version of this project wrote it.

        A trial that was stopped at a rung has no values of its own: it stands with its forecast.
        """
        attrs = own_attributes(trial.user_attrs)
        attr = attrs.get(RECORD, {})
        stopped = trial.state == TrialState.PRUNED
        values = attrs[ESTIMATE] if stopped else trial.values
        measured = values is not None
        return cls(
            number=trial.number,
            params={name: int(index) for name, index in asked_params(trial).items()},
            num_bytes=int(values[1]) if measured else 0,
            measurement=Measurement.from_attr(attr) if measured else None,
            worker_seconds=attr.get("worker_seconds", 0.0),
            failure=None if measured else _failure(attrs),
            start_ms=int(trial.datetime_start.timestamp() * 1000) if trial.datetime_start else 0,
            end_ms=int(trial.datetime_complete.timestamp() * 1000)
            if trial.datetime_complete
            else 0,
            repeat=attrs.get(REPEAT, 0),
            origin=Origin(**attrs[ORIGIN]) if ORIGIN in attrs else None,
            traceback=None if measured else attrs.get(TRACEBACK),
        )


def asked_params(trial: FrozenTrial) -> dict[str, Any]:
    """Parameters of a trial: those it was enqueued with, which it may not have been given yet."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def awaits_retry(trial: FrozenTrial) -> bool:
    """Whether a trial lost its worker and is to be run again."""
    attrs = trial.user_attrs
    return trial.state == TrialState.FAIL and LOST in attrs and not attrs.get(DEATHS)


def _failure(attrs: Mapping[str, Any]) -> str:
    failure: str | None = attrs.get(RECORD, {}).get("failure")
    return failure or attrs.get(LOST, "the worker died")
