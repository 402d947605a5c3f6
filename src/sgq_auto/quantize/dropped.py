"""Dropout that is applied after quantization.

A model drops entries of a layer's input before the layer sees it. Quantizing what dropout left
would calibrate ranges on values scaled up by ``1 / (1 - p)`` and spend a code on the zeros it
made; at inference neither exists. So the input travels with its mask, and the layer quantizes
first and drops second.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.graphs import Features


class Dropped:
    """An input and the dropout that is still to be applied to it.

    Any torch function (or method) called on it sees the dropped tensor, so layers that know
    nothing of it work too.
    """

    def __init__(self, source: Tensor | Features, p: float) -> None:
        self.source = source
        self.p = p

    @cached_property
    def mask(self) -> Tensor:
        """0 or ``1 / (1 - p)`` for every stored value of the source."""
        values = self.source if isinstance(self.source, Tensor) else self.source.values
        return torch.dropout(torch.ones_like(values), self.p, train=True)

    @cached_property
    def tensor(self) -> Tensor:
        """The dropped tensor."""
        if not isinstance(self.source, Tensor):
            raise TypeError("node features can only be read by a quantized layer")
        return self.source * self.mask

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tensor, name)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Apply a torch function to the dropped tensor."""
        del types
        plain = [a.tensor if isinstance(a, Dropped) else a for a in args]
        named = {k: v.tensor if isinstance(v, Dropped) else v for k, v in (kwargs or {}).items()}
        return function(*plain, **named)


class DeferredDropout(nn.Module):
    """``nn.Dropout`` whose mask the next quantized layer applies."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """The input with its dropout still to come, or the input itself at inference."""
        if not self.training or self.p == 0:
            return x
        return Dropped(x.tensor if isinstance(x, Dropped) else x, self.p)
