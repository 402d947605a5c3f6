"""Dropout that is applied after quantization.

A model drops entries of a layer's input before the layer sees it. Quantizing what dropout left
would calibrate ranges on values scaled up by ``1 / (1 - p)`` and spend a code on the zeros it
made; at inference neither exists. So the input travels with its dropout still to come, and the
layer quantizes first and drops second.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sgq_auto.compute import Engine
from sgq_auto.quantize.forward.lazy_tensor import LazyTensor
from sgq_auto.quantize.forward.node_features import NodeFeatures


def dropout(x: Tensor, p: float, engine: Engine) -> Tensor:
    """Dropout of ``x`` with probability ``p``, seeded by torch's generator; differentiable."""
    out: Tensor = _Dropout.apply(x, p, _draw_seed(), engine)
    return out


class Dropped(LazyTensor):
    """A tensor and the dropout that is still to be applied to it.

    Attributes:
        source: The tensor before dropout.
        p: Probability with which an entry is dropped.
    """

    @staticmethod
    def __new__(cls, source: Tensor, p: float, engine: Engine) -> Self:
        """A tensor of the source's shape without values: those are made where they are read."""
        del p, engine
        return LazyTensor.__new__(cls, source.shape, source.dtype, source.device)

    def __init__(self, source: Tensor, p: float, engine: Engine) -> None:
        self.source = source
        self.p = p
        self.engine = engine
        self.seed = _draw_seed()

    def apply(self, values: Tensor) -> Tensor:
        """Drop from ``values``, which stand in for the source's own; the same places each time."""
        out: Tensor = _Dropout.apply(values, self.p, self.seed, self.engine)
        return out

    @cached_property
    def tensor(self) -> Tensor:
        """The tensor after dropout, for what reads it before a quantized layer does."""
        if isinstance(self.source, NodeFeatures):
            matrix = self.source.matrix
            return matrix.with_values(self.apply(matrix.values)).dense()
        return self.apply(self.source)


class DropoutAfterQuantization(TorchFunctionMode):
    """Leaves every dropout of a tensor, ``nn.Dropout`` or a function, to what reads its result.

    Args:
        engine: Drops.
        probability: Replaces every probability above 0; ``None`` keeps the model's own.

    Attributes:
        largest: The largest probability that the model asked for itself, in training.
    """

    def __init__(self, engine: Engine, probability: float | None = None) -> None:
        super().__init__()
        self.engine = engine
        self.probability = probability
        self.largest = 0.0

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Defer dropout; call everything else."""
        del types
        if function is nn.functional.dropout:
            return self._defer(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _defer(
        self,
        input: Tensor,
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Tensor:
        del inplace
        self.largest = max(self.largest, p if training else 0.0)
        if p > 0 and self.probability is not None:
            p = self.probability
        if not training or p == 0:
            return input
        if p >= 1 or input.dtype is not torch.float32:
            return nn.functional.dropout(input, p, training)
        return Dropped(input.tensor if isinstance(input, Dropped) else input, p, self.engine)


def _draw_seed() -> int:
    return int(torch.randint(2**63 - 1, ()))


class _Dropout(torch.autograd.Function):
    """Forward and backward drop the same places, which the seed gives; no mask is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, seed: int, engine: Engine) -> Tensor:
        ctx.p, ctx.seed, ctx.engine = p, seed, engine
        return engine.dropout(x, p, seed)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.engine.dropout(grad, ctx.p, ctx.seed), None, None, None
