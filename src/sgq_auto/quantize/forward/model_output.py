"""The logits among what a model returns."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError


class TakesLogits:
    """A forward hook: of several tensors, the model returns the one with a column a class.

    A vector of one number for each node or graph becomes a column, where one is predicted. Where
    more than one tensor has a column a class, nothing is taken: which of them are the logits would
    be a guess.

    Attributes:
        num_classes: Columns of logits.
        said: What it took, for people; ``None`` while the model has returned nothing else than one
            tensor.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.said: str | None = None

    @classmethod
    def attach(cls, model: nn.Module, num_classes: int) -> "TakesLogits":
        """Let ``model``, and copies of it, return their logits alone."""
        made = cls(num_classes)
        model.register_forward_hook(made)
        return made

    @classmethod
    def of(cls, model: nn.Module) -> "TakesLogits | None":
        """What stands behind the forward pass of ``model``, if anything does."""
        hooks = (h for h in model._forward_hooks.values() if isinstance(h, cls))
        return next(hooks, None)

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        """The logits; ``None``, which changes nothing, where there is no choice or no logits."""
        if isinstance(output, Tensor) and output.dim() == 1 and self.num_classes == 1:
            return output.unsqueeze(1)
        fitting = _fitting(output, self.num_classes)
        if len(fitting) != 1:
            return None
        ((place, logits),) = fitting
        kind = type(output).__name__
        self.said = f"it returns a {kind}; its {place} is taken as the logits"
        return logits

    def __deepcopy__(self, _memo: Any) -> "TakesLogits":
        """Itself: what a copied model returned is said of the model."""
        return self


@contextmanager
def returning_logits(model: nn.Module, num_classes: int) -> Iterator[TakesLogits]:
    """Copies of ``model`` that are made meanwhile return their logits alone."""
    made = TakesLogits(num_classes)
    handle = model.register_forward_hook(made)
    try:
        yield made
    finally:
        handle.remove()


def _fitting(output: Any, num_classes: int) -> list[tuple[str, Tensor]]:
    """Tensors with a column a class among several, and where they are."""
    if isinstance(output, dict):
        places = [(f"entry {key!r}", value) for key, value in output.items()]
    elif isinstance(output, tuple | list):
        places = [(f"element {place}", value) for place, value in enumerate(output)]
    else:
        return []
    return [
        (place, value)
        for place, value in places
        if isinstance(value, Tensor)
        and value.dim() == 2
        and value.size(1) == num_classes
        and value.is_floating_point()
    ]


def check_logits(output: Any, num_nodes: int, num_classes: int) -> None:
    """Check what a model returned for a graph.

    Raises:
        InputError: If it is not one row of logits (or logarithms of probabilities) a node.
    """
    shape = f"[{num_nodes}, {num_classes}]"
    if not isinstance(output, Tensor):
        several = len(_fitting(output, num_classes))
        held = f" with {several} tensors of {num_classes} columns" if several else ""
        raise InputError(
            f"it returns a {type(output).__name__}{held}; it must return one tensor {shape}"
        )
    if output.shape != (num_nodes, num_classes):
        raise InputError(
            f"it returns a tensor of shape {list(output.shape)}; it must be {shape}, "
            "a row for each node (or graph) that is predicted, and in it a number for each class, "
            "label or target"
        )
    sums = output.sum(dim=1)
    alike = torch.allclose(sums, torch.ones_like(sums))
    if num_classes > 1 and bool((output >= 0).all()) and alike:
        raise InputError(
            "it returns probabilities (softmax); let it return the logits before that, or their "
            "log_softmax"
        )
