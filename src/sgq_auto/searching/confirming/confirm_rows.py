"""Rows of the confirm stage on disk: one for each model that it trained."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from sgq_auto.errors import InputError
from sgq_auto.searching.confirming.drop_estimate import DropEvidence, StepEvidence
from sgq_auto.searching.confirming.observed_drop import Evidence, ObservedDrop
from sgq_auto.searching.trials.trial_checks import is_count, is_score, shown

# What stands in for a trial's number where there is no trial: full precision as it was trained, and
# full precision that was fine-tuned as every point is, by the same teachers.
FULL_PRECISION, DISTILLED = None, -1
# Ladder positions by trial; full precision and its distilled twin have none.
Params = Mapping[int | None, Mapping[str, int] | None]


@dataclass(frozen=True)
class ConfirmRow:
    """One model trained in the confirm stage.

    Attributes:
        seed: Its fresh seed.
        trial: The trial whose allocation it has; ``None`` at full precision, and
            :data:`DISTILLED` for its distilled twin.
        params: Ladder positions of that trial by group; a row counts for no other allocation,
            whatever became of the study.
        val_accuracy: Validation accuracy, 0..1, or what else is the metric.
        test_accuracy: Test accuracy, or the metric.
        evidence: What is known of its drop from full precision, the mean of all fresh seeds,
            without test labels.
    """

    seed: int
    trial: int | None
    params: Mapping[str, int] | None
    val_accuracy: float
    test_accuracy: float
    evidence: Evidence

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The row of a line of JSON.

        Raises:
            InputError: If its values are of other types, or out of range.
            ValueError: If it is none: cut short, or an earlier version's.
        """
        try:
            values = json.loads(line)
            row = cls(**values | {"evidence": _evidence(values["evidence"])})
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"no row: {line!r}") from error
        row._check()
        return row

    def _check(self) -> None:
        params = self.params
        numbers = list(_numbers(asdict(self.evidence)))
        sound = (
            is_count(self.seed)
            and (self.trial in (FULL_PRECISION, DISTILLED) or is_count(self.trial))
            and (
                params is None or (isinstance(params, dict) and all(map(is_count, params.values())))
            )
            and is_score(self.val_accuracy)
            and is_score(self.test_accuracy)
            and all(isinstance(value, float) or is_count(value) for value in numbers)
        )
        if not sound:
            raise InputError(f"no row of the confirm stage is like {shown(asdict(self))}")


def _evidence(values: Mapping[str, Any]) -> Evidence:
    """What is known of a drop, from the values of a row."""
    if "taught" not in values:
        return ObservedDrop(**values)
    steps = {name: StepEvidence(**values[name]) for name in ("taught", "bits")}
    return DropEvidence(**{**values, **steps})


def _numbers(values: Mapping[str, Any]) -> Iterator[Any]:
    """All values, those of nested ones too."""
    for value in values.values():
        if isinstance(value, dict):
            yield from _numbers(value)
        else:
            yield value


Rows = dict[tuple[int, int | None], ConfirmRow]


def read_rows(path: Path, params: Params) -> Rows:
    """Rows of these trials that have their allocations, by seed and trial.

    Raises:
        InputError: If a row is forged.
    """
    return {
        (row.seed, row.trial): row
        for row in _all_rows(path)
        if row.trial in params and row.params == params[row.trial]
    }


def check_rows(path: Path) -> None:
    """Check the rows of a file, if it is there.

    Raises:
        InputError: If one is forged; it names the file and the line.
    """
    list(_all_rows(path))


def append_rows(path: Path, rows: Sequence[ConfirmRow]) -> None:
    """Add rows to a file."""
    with path.open("a+b") as file:
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")  # End the line that a kill cut short.
        file.writelines(json.dumps(asdict(row)).encode() + b"\n" for row in rows)


def _all_rows(path: Path) -> Iterator[ConfirmRow]:
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield ConfirmRow.from_line(line)
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from error
        except ValueError:
            continue  # Cut short by a kill, or an earlier version's: it is trained again.
