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

    Torch functions and methods called on it, products and indexing see the dropped tensor, so
    layers that know nothing of it work too.
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
    """``nn.Dropout`` whose mask the next quantized layer applies."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """The input with its dropout still to come, or the input itself at inference."""
        if not self.training or self.p == 0:
            return x
        return Dropped(x.tensor if isinstance(x, Dropped) else x, self.p)
