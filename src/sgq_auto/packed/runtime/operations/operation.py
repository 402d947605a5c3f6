"""The base of every operation, and what an artifact says of it.

An operation makes one value, rows of numbers, from earlier values of its stage. It looks at one
row at a time, so that a chunk of rows is computed when the layer before has made it and nothing
is held. A kind is a class listed in :mod:`sgq_auto.packed.runtime.operations.operation_kinds`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.ranges import Floats

Float32 = npt.NDArray[np.float32]
# The largest fp32 number: values beyond it become it, so that no sum meets an infinity.
_LARGEST = float(np.finfo(np.float32).max)
# How a setting is read from the entry of an operation, by its name.
Settings = Mapping[str, Callable[[Mapping[str, Any], str], Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Operation(ABC):
    """One operation of a stage.

    Attributes:
        kind: The name of its kind in a header.
        settings: How each of its fields that is no tensor is read from a header, by name.
        tensors: The names of its fp32 tensors, which are fields too.
        inputs: Which values of its stage it reads: 0 is what the layer made, ``k + 1`` what
            operation ``k`` did.
    """

    kind: ClassVar[str]
    settings: ClassVar[Settings] = {}
    tensors: ClassVar[tuple[str, ...]] = ()

    inputs: tuple[int, ...]

    @abstractmethod
    def __call__(self, *values: Floats) -> Floats:
        """The value, fp64 ``[rows, width]``, from those of its inputs, which it does not change."""

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Columns of what it makes: by default as many as each of its inputs has.

        Args:
            widths: Columns of each input.
            settings: Its settings.

        Raises:
            ArtifactError: If such inputs do not fit it.
        """
        if len(widths) != 1:
            raise ArtifactError(f"{cls.kind} reads one value, not {len(widths)}")
        return widths[0]

    @classmethod
    def shapes(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """The shape of each of its tensors: by default a number for each column."""
        # An operation without tensors may read nothing.
        return dict.fromkeys(cls.tensors, tuple(widths[:1]))

    def described(self) -> dict[str, Any]:
        """Its settings, for the header that is written."""
        return {name: getattr(self, name) for name in self.settings}

    def held(self) -> dict[str, Float32]:
        """Its tensors by name."""
        return {name: getattr(self, name) for name in self.tensors}


def bounded(values: Floats) -> Floats:
    """Values cut to what fp32 has; changes them in place."""
    return np.clip(values, -_LARGEST, _LARGEST, out=values)
