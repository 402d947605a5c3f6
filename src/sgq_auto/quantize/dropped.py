"""Dropout that is applied after quantization.

A model drops entries of a layer's input before the layer sees it. Quantizing what dropout left
would calibrate ranges on values scaled up by ``1 / (1 - p)`` and spend a code on the zeros it
made; at inference neither exists. So the input travels with its dropout still to come, and the
layer quantizes first and drops second.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.engines import Engine
from sgq_auto.graphs import Features


def dropout(x: Tensor, p: float, engine: Engine) -> Tensor:
    """Dropout of ``x`` with probability ``p``, seeded by torch's generator; differentiable."""
    out: Tensor = _Dropout.apply(x, p, _draw_seed(), engine)
    return out


class Dropped:
    """An input and the dropout that is still to be applied to it.

    Torch functions and methods called on it, products and indexing see the dropped tensor, so
    layers that know nothing of it work too.
    """

    def __init__(self, source: Tensor | Features, p: float, engine: Engine) -> None:
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
        """The dropped tensor."""
        if not isinstance(self.source, Tensor):
            raise TypeError("node features can only be read by a quantized layer")
        return self.apply(self.source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tensor, name)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Apply a torch function to the dropped tensor."""
        del types
        return function(*_plain(args), **{k: _plain(v) for k, v in (kwargs or {}).items()})

    def __mul__(self, other: Any) -> Any:
        return self.tensor * other

    def __matmul__(self, other: Any) -> Any:
        return self.tensor @ other

    def __getitem__(self, index: Any) -> Any:
        return self.tensor[index]


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return value.tensor if isinstance(value, Dropped) else value


class DeferredDropout(nn.Module):
    """``nn.Dropout`` that the next quantized layer applies."""

    def __init__(self, p: float, engine: Engine) -> None:
        super().__init__()
        self.p = p
        self.engine = engine

    def forward(self, x: Any) -> Any:
        """The input with its dropout still to come, or the input itself at inference."""
        if not self.training or self.p == 0:
            return x
        return Dropped(x.tensor if isinstance(x, Dropped) else x, self.p, self.engine)


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
