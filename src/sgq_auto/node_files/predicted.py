"""What a packed model predicts, by its task: for files, and in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from sgq_auto.node_files.predictions import write_columns, write_predictions
from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.bit_packing import Array

_MOST = 10


class Predicted(Protocol):
    """Predictions of some nodes."""

    @property
    def kind(self) -> str:
        """What a file of them holds, with a capital letter."""

    @property
    def summed_up(self) -> str:
        """All of them in one short line."""

    def of(self, row: int) -> str:
        """Those of one node."""

    def write(self, path: Path, nodes: Iterable[str], unit: str) -> None:
        """Write them to a ``.csv`` or ``.npy`` file; ``unit`` is ``node`` or ``graph``."""


def predicted(model: PackedModel, outputs: Array) -> Predicted:
    """What outputs ``[n, K]`` of a model mean."""
    if model.task.is_classification:
        return Classes(outputs.argmax(axis=1), model.classes)
    if model.task.is_regression:
        return Numbers(outputs, model.classes)
    # Exact also where the exponential of a logit is too large for fp32.
    shares = 0.5 * (1 + np.tanh(outputs.astype(np.float64) / 2))
    return Labels(shares.astype(np.float32), model.classes)


@dataclass(frozen=True, eq=False)
class Classes:
    """One class for each node.

    Attributes:
        classes: ``int64 [n]``.
        names: Names of all classes.
    """

    classes: Array
    names: Sequence[str]
    kind = "Classes"

    @property
    def summed_up(self) -> str:
        """How many nodes are of each class, the largest classes first."""
        found, counts = np.unique(self.classes, return_counts=True)
        largest = np.argsort(-counts, kind="stable")[:_MOST]
        shown = [f"{self.names[found[k]]} ({counts[k]:,})" for k in largest]
        if found.size > largest.size:
            shown.append(f"{found.size - largest.size} classes more")
        return ", ".join(shown)

    def of(self, row: int) -> str:
        """The class of one node."""
        return f"class {self.names[self.classes[row]]}"

    def write(self, path: Path, nodes: Iterable[str], unit: str) -> None:
        """Write the numbers of classes, or their names."""
        write_predictions(path, nodes, self.classes, self.names, unit)


@dataclass(frozen=True, eq=False)
class Labels:
    """A probability for each of several labels.

    Attributes:
        shares: fp32 ``[n, L]``.
        names: Names of the labels.
    """

    shares: Array
    names: Sequence[str]
    kind = "Probabilities"

    @property
    def summed_up(self) -> str:
        """How many nodes are likely to have each label."""
        counts = (self.shares > 0.5).sum(axis=0)
        return ", ".join(_some([f"{n} ({c:,})" for n, c in zip(self.names, counts, strict=True)]))

    def of(self, row: int) -> str:
        """The labels that one node is likely to have, and how likely."""
        found = [
            f"{name} ({100 * share:.0f} %)"
            for name, share in zip(self.names, self.shares[row], strict=True)
            if share > 0.5
        ]
        return f"labels {', '.join(found)}" if found else "no label"

    def write(self, path: Path, nodes: Iterable[str], unit: str) -> None:
        """Write the probabilities."""
        write_columns(path, nodes, self.shares, self.names, unit)


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers for each node.

    Attributes:
        values: fp32 ``[n, T]``, in the user's units.
        names: What they are called.
    """

    values: Array
    names: Sequence[str]
    kind = "Numbers"

    @property
    def summed_up(self) -> str:
        """The range of each number."""
        if not len(self.values):
            return "nothing"
        low, high = self.values.min(axis=0), self.values.max(axis=0)
        spans = zip(self.names, low, high, strict=True)
        return ", ".join(_some([f"{name} {a:.4g} to {b:.4g}" for name, a, b in spans]))

    def of(self, row: int) -> str:
        """The numbers of one node."""
        own = zip(self.names, self.values[row], strict=True)
        return ", ".join(f"{name} = {value:.6g}" for name, value in own)

    def write(self, path: Path, nodes: Iterable[str], unit: str) -> None:
        """Write the numbers."""
        write_columns(path, nodes, self.values, self.names, unit)


def _some(texts: Sequence[str]) -> list[str]:
    more = len(texts) - _MOST
    return [*texts[:_MOST], *([f"{more} more"] if more > 0 else [])]
