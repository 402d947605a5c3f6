"""Affine ranges: what the codes of consecutive scale groups stand for."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.codes.bit_packing import Array

Floats = npt.NDArray[np.float64]
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Ranges:
    """``value = code * step + offset``, group by group.

    Attributes:
        bits: Bits of each group; 32 for fp32 values, which have no range.
        step: fp32 ``[groups]``.
        offset: fp32 ``[groups]``.
    """

    bits: tuple[int, ...]
    step: npt.NDArray[np.float32]
    offset: npt.NDArray[np.float32]

    @classmethod
    def full_precision(cls, groups: int) -> Self:
        """Groups of fp32 values."""
        return cls((FULL_PRECISION,) * groups, np.ones(groups, "f4"), np.zeros(groups, "f4"))

    def is_quantized(self, group: int) -> bool:
        """Whether a group has codes at all."""
        return self.bits[group] != FULL_PRECISION

    def codes(self, values: Floats, group: int) -> Floats:
        """The codes of fp64 values in one group, as fp64; halves round to even."""
        scaled = (values - np.float64(self.offset[group])) / np.float64(self.step[group])
        np.rint(scaled, out=scaled)
        return np.clip(scaled, 0, 2 ** self.bits[group] - 1, out=scaled)

    def values(self, codes: Array, group: int) -> Floats:
        """The fp64 values of codes in one group."""
        out = codes * np.float64(self.step[group])
        out += np.float64(self.offset[group])
        return out


def to_fp32(values: Array) -> npt.NDArray[np.float32]:
    """Values as fp32; what is beyond the largest fp32 number becomes that number.

    A sum can so never meet an infinity, and engines agree however large a file's scales are.
    """
    return np.clip(values, -_LARGEST, _LARGEST).astype("<f4")
