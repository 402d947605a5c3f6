"""Real fine-tuning that is done once: curves of trials in a file, for studies of samplers."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from problem import Problem
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.training import FitResult, Stopper

# Epochs between two points of a recorded curve: every rung is one of them.
_EVERY = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedWorkbench(Workbench):
    """A workbench that looks fine-tuning up, and fine-tunes only what it has not seen.

    Evaluating more often changes nothing about the training, and a trial that is stopped early is
    one whose recorded curve is cut off.
    """

    path: Path

    @classmethod
    def open(cls, problem: Problem, folder: Path) -> "RecordedWorkbench":
        """The workbench of a problem, its records in ``folder``."""
        bench = problem.workbench()
        folder.mkdir(parents=True, exist_ok=True)
        settings = bench.settings
        name = f"{settings.model.name}-{settings.dataset}-seed{settings.seed}"
        path = folder / f"{name}-{_digest(bench)}.jsonl"
        return cls(*_parts(bench), path=path)

    def finetune(
        self, allocation: BitAllocation, seed: int, stopper: Stopper | None = None
    ) -> tuple[nn.Module, FitResult]:
        """What fine-tuning this allocation gave; the model is left at full precision."""
        key = f"{'.'.join(str(allocation[s]) for s in self.footprints.sites())}/{seed}"
        row = self._rows.get(key) or self._record(key, allocation, seed)
        return self.pretrained.model, self._replay(row, stopper)

    def _replay(self, row: Mapping[str, Any], stopper: Stopper | None) -> FitResult:
        rungs = stopper.rungs if stopper else ()
        every, epochs = self.settings.finetune.evaluate_every, self.settings.finetune.epochs
        curve = []
        for epoch, accuracy in row["curve"]:
            if epoch % every and epoch != epochs and epoch not in rungs:
                continue
            curve.append((epoch, accuracy))
            if stopper and epoch in rungs and stopper.stops(epoch, accuracy):
                seconds = row["seconds"] * epoch / epochs
                return FitResult(accuracy, epoch, tuple(curve), seconds, stopped=True)
        return FitResult(row["val_accuracy"], epochs, tuple(curve), row["seconds"])

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        rows = (json.loads(line) for line in lines if line.endswith("}"))
        return {row["key"]: row for row in rows}

    def _record(self, key: str, allocation: BitAllocation, seed: int) -> dict[str, Any]:
        dense = replace(self.settings.finetune, evaluate_every=_EVERY)
        bench = replace(Workbench(*_parts(self)), settings=replace(self.settings, finetune=dense))
        _, result = bench.finetune(allocation, seed)
        row = {
            "key": key,
            "val_accuracy": result.val_accuracy,
            "curve": result.curve,
            "seconds": result.seconds,
        }
        self._rows[key] = row
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row


def _parts(bench: Workbench) -> list[Any]:
    return [getattr(bench, part.name) for part in fields(Workbench)]


def _digest(bench: Workbench) -> str:
    """Whatever changes the result of fine-tuning an allocation."""
    settings = bench.settings
    key = {
        "graph": bench.graph.fingerprint,
        "model": settings.model.key,
        "pretrain": asdict(settings.pretrain),
        "finetune": asdict(settings.finetune) | {"evaluate_every": _EVERY},
        "ranges": settings.ranges,
        "teachers": settings.teachers,
        "seed": settings.seed,
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:8]
