"""Operations that look at one number at a time: activations, limits and scalar arithmetic."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.polynomial.chebyshev import chebval

from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import choice, number
from sgq_auto.packed.runtime.operations.operation import Float32, Operation, Settings, bounded

# erfc(z) exp(z^2) / t for t = 2 / (2 + z): its Chebyshev interpolation over t in 0 to 1, of degree
# 24, which gives the error function to 1e-14.
_ERFC = (
    0.5770337386164697,
    0.35543692127049836,
    0.0650951588287865,
    0.0036711423958366678,
    -0.0011128447433525841,
    -0.0001607582991537398,
    3.278031574174786e-05,
    5.4424416455306974e-06,
    -1.515466555318477e-06,
    -1.4297608183600974e-07,
    8.234608836897039e-08,
    -1.296284603123054e-09,
    -4.154721482920537e-09,
    6.34705988825533e-10,
    1.4320849620065357e-10,
    -6.160375132181697e-11,
    2.0615970571744488e-12,
    3.571710933232756e-12,
    -8.582293434760954e-13,
    -6.135721341456572e-14,
    7.406386884850072e-14,
    -1.322980089894254e-14,
    -3.287232396112228e-15,
    1.0280129297703951e-15,
    -1.2615427845631975e-15,
)


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
    # Beyond 10 it is 1; a larger square could overflow.
    size = np.minimum(np.abs(x), 10.0)
    t = 2 / (2 + size)
    complement: Floats = t * np.exp(-np.square(size)) * chebval(2 * t - 1, _ERFC)
    return np.sign(x) * (1 - complement)
