"""Tensors that are made only where something needs their values."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor

# What is known without the values.
METADATA = frozenset(
    {
        Tensor.size,
        Tensor.dim,
        Tensor.numel,
        Tensor.is_floating_point,
        Tensor.__len__,
        Tensor.shape.__get__,  # type: ignore[attr-defined]
        Tensor.ndim.__get__,  # type: ignore[attr-defined]
        Tensor.dtype.__get__,  # type: ignore[attr-defined]
        Tensor.device.__get__,
        Tensor.layout.__get__,  # type: ignore[attr-defined]
        Tensor.requires_grad.__get__,  # type: ignore[attr-defined]
    }
)
# Casts that models make to be safe, and the type that they give.
_CASTS = {Tensor.float: torch.float32, Tensor.long: torch.int64}


class LazyTensor(Tensor):
    """Stands for a tensor that quantized layers read in another form.

    Its shape is known; torch functions, methods and operators of it see :attr:`tensor`, so that
    code which knows nothing of it works too.
    """

    @staticmethod
    def __new__(cls, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Self:
        """A tensor without memory."""
        lazy: Self = Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=device)
        return lazy

    @property
    @abstractmethod
    def tensor(self) -> Tensor:
        """The tensor that it stands for."""

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Answer what needs no values; apply every other function to the tensor."""
        del types
        if function in _CASTS and args[0].dtype is _CASTS[function]:
            return args[0]  # It is of that type already.
        if function in METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **(kwargs or {}))
        return function(*plain(args), **plain(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """The same for operators that are reached past ``__torch_function__``."""
        del types
        return function(*plain(args), **plain(kwargs or {}))


def plain(value: Any) -> Any:
    """``value`` with every lazy tensor in it made; lists, tuples and dictionaries are entered."""
    if isinstance(value, LazyTensor):
        return value.tensor
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value
