"""Operations that read several values or rearrange columns: residuals, concatenation, reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import LARGEST_COUNT, count, text
from sgq_auto.packed.runtime.operations.operation import (
    Float32,
    Operation,
    Settings,
    bounded,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Read(Operation):
    """Rows of an embedding that is held in codes, or of the node features.

    The runtime hands it the rows: it reads no value of its stage.

    Attributes:
        buffer: The name of the embedding.
    """

    kind = "read"
    settings: ClassVar[Settings] = {"buffer": text}

    buffer: str

    def __call__(self, *values: Floats) -> Floats:
        """The rows, which the runtime has decoded."""
        return values[0]


class ColumnwiseOperation(Operation):
    """Combines values column by column; one column beside more stands for all of them."""

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """The width that they share.

        Raises:
            ArtifactError: If there are fewer than two, or their widths differ otherwise.
        """
        wide = max(widths, default=0)
        if len(widths) < 2 or any(width not in (1, wide) for width in widths):
            listed = list(widths)
            raise ArtifactError(
                f"{cls.kind} reads values of {listed} columns, which must be as many"
            )
        return wide


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(ColumnwiseOperation):
    """The sum of several values: a residual, say."""

    kind = "add"

    def __call__(self, *values: Floats) -> Floats:
        """The sum."""
        total = values[0] + values[1]
        for value in values[2:]:
            total += value
        return bounded(total)


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(ColumnwiseOperation):
    """The product of two values, column by column: a gate, say."""

    kind = "multiply"

    def __call__(self, *values: Floats) -> Floats:
        """The product."""
        first, second = values
        return bounded(first * second)

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:
        """The width that both share."""
        if len(widths) != 2:
            raise ArtifactError(f"multiply reads two values, not {len(widths)}")
        return super().width(widths, settings)


@dataclass(frozen=True, eq=False, kw_only=True)
class Maximum(ColumnwiseOperation):
    """The largest of several values, column by column (jumping knowledge, ``max``)."""

    kind = "maximum"

    def __call__(self, *values: Floats) -> Floats:
        """The largest values."""
        largest = np.maximum(values[0], values[1])
        for value in values[2:]:
            np.maximum(largest, value, out=largest)
        return largest


@dataclass(frozen=True, eq=False, kw_only=True)
class Concatenate(Operation):
    """Several values side by side (jumping knowledge, ``cat``)."""

    kind = "concatenate"

    def __call__(self, *values: Floats) -> Floats:
        """All their columns."""
        return np.concatenate(values, axis=1)

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """All their columns."""
        total = sum(widths)
        if not widths or total > LARGEST_COUNT:
            raise ArtifactError(f"concatenate makes {total} columns of {len(widths)} values")
        return total


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns(Operation):
    """Some consecutive columns of a value.

    Attributes:
        first: The first one.
        last: One past the last one.
    """

    kind = "columns"
    settings: ClassVar[Settings] = {"first": count, "last": count}

    first: int
    last: int

    def __call__(self, *values: Floats) -> Floats:
        """Those columns."""
        return values[0][:, self.first : self.last]

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:
        """How many there are."""
        width, first, last = super().width(widths, settings), settings["first"], settings["last"]
        if not first < last <= width:
            raise ArtifactError(f"columns {first} to {last} of {width}")
        return int(last - first)


@dataclass(frozen=True, eq=False, kw_only=True)
class Project(Operation):
    """``x W + b`` with a small fp32 matrix inside a norm, which no site quantizes.

    Attributes:
        out: Columns of what it makes.
        weight: fp32 ``[width, out]``.
        bias: fp32 ``[out]``.
    """

    kind = "project"
    settings: ClassVar[Settings] = {"out": lambda node, key: count(node, key, 1)}
    tensors = ("weight", "bias")

    out: int
    weight: Float32
    bias: Float32

    def __call__(self, *values: Floats) -> Floats:
        """The products."""
        return bounded(values[0] @ self.weight.astype(np.float64) + self.bias)

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:
        """Its columns."""
        super().width(widths, settings)
        return int(settings["out"])

    @classmethod
    def shapes(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> dict[str, Any]:
        """A matrix and a bias."""
        return {"weight": (widths[0], settings["out"]), "bias": (settings["out"],)}
