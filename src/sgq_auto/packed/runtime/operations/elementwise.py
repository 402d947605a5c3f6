"""Operations that look at one number at a time: activations, limits and scalar arithmetic."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import choice, number
from sgq_auto.packed.runtime.operations.operation import Float32, Operation, Settings, bounded

# The error function to 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26).
_ERF_SCALE = 0.3275911
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


class Function(StrEnum):
    """An activation."""

    RELU = "relu"
    ELU = "elu"
    LEAKY_RELU = "leaky_relu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    SILU = "silu"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    SOFTPLUS = "softplus"
    HARDSWISH = "hardswish"


@dataclass(frozen=True, eq=False, kw_only=True)
class Activate(Operation):
    """An activation function of each number.

    Attributes:
        function: Which one.
        parameter: What it is below 0: the slope of a leaky ReLU, the limit of an ELU.
    """

    kind = "activate"
    settings: ClassVar[Settings] = {
        "function": lambda node, key: choice(Function, node, key),
        "parameter": number,
    }

    function: Function
    parameter: float = 1.0

    def __call__(self, *values: Floats) -> Floats:
        """The activated values."""
        (x,) = values
        match self.function:
            case Function.RELU:
                return np.maximum(x, 0.0)
            case Function.ELU:
                below: Floats = self.parameter * np.expm1(np.minimum(x, 0.0))
                return np.where(x > 0, x, below)
            case Function.LEAKY_RELU:
                return bounded(np.where(x > 0, x, self.parameter * x))
            case Function.GELU:
                share: Floats = 0.5 * (1 + _erf(x / np.sqrt(2.0)))
                return x * share
            case Function.GELU_TANH:
                inner = np.sqrt(2 / np.pi) * x * (1 + 0.044715 * np.square(x))
                gate: Floats = 0.5 * (1 + np.tanh(inner))
                return x * gate
            case Function.SILU:
                return x * _sigmoid(x)
            case Function.TANH:
                return np.tanh(x)
            case Function.SIGMOID:
                return _sigmoid(x)
            case Function.SOFTPLUS:
                return np.logaddexp(x, 0.0)
            case Function.HARDSWISH:
                gated: Floats = x * (np.clip(x + 3, 0, 6) / 6)
                return gated


@dataclass(frozen=True, eq=False, kw_only=True)
class Prelu(Operation):
    """A leaky ReLU whose slopes, one a column, are parameters.

    Attributes:
        slope: fp32 ``[width]``.
    """

    kind = "prelu"
    tensors = ("slope",)

    slope: Float32

    def __call__(self, *values: Floats) -> Floats:
        """The activated values."""
        (x,) = values
        return bounded(np.where(x > 0, x, self.slope * x))


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip(Operation):
    """Numbers kept within limits (ReLU6, hard tanh).

    Attributes:
        low: The least.
        high: The largest.
    """

    kind = "clip"
    settings: ClassVar[Settings] = {"low": number, "high": number}

    low: float
    high: float

    def __call__(self, *values: Floats) -> Floats:
        """The limited values."""
        return np.minimum(np.maximum(values[0], self.low), self.high)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scale(Operation):
    """``y = factor x + shift`` with one factor and one shift for all columns.

    Attributes:
        factor: What is multiplied.
        shift: What is added.
    """

    kind = "scale"
    settings: ClassVar[Settings] = {"factor": number, "shift": number}

    factor: float
    shift: float = 0.0

    def __call__(self, *values: Floats) -> Floats:
        """The scaled values."""
        return bounded(self.factor * values[0] + self.shift)


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Operation):
    """``y = scale x + shift`` column by column: a batch norm, or parameters of other norms.

    Attributes:
        scale: fp32 ``[width]``.
        shift: fp32 ``[width]``.
    """

    kind = "affine"
    tensors = ("scale", "shift")

    scale: Float32
    shift: Float32

    def __call__(self, *values: Floats) -> Floats:
        """The scaled values."""
        return bounded(values[0] * self.scale + self.shift)


def _sigmoid(x: Floats) -> Floats:
    halved: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return halved


def _erf(x: Floats) -> Floats:
    size = np.abs(x)
    t = 1 / (1 + _ERF_SCALE * size)
    polynomial = np.zeros_like(t)
    for coefficient in _ERF:
        polynomial = (polynomial + coefficient) * t
    # Beyond 10 it is 1; a larger square could overflow.
    return np.sign(x) * (1 - polynomial * np.exp(-np.square(np.minimum(size, 10.0))))
