"""sgq-auto: how few bytes can a graph neural network run in, and at what cost in accuracy.

The library is :func:`prepare`, :func:`search` and :func:`pack`, loaded when they are first used:
the packed runtime needs none of what they import.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgq_auto.library import pack, prepare, search

__version__ = "0.1.0"
__all__ = ["pack", "prepare", "search"]


def __getattr__(name: str) -> Any:
    """The functions of the library.

    ``search`` is the command's module too, which can be called as the function: importing that
    module anywhere puts it under this name, and both uses must go on.
    """
    if name == "search":
        return importlib.import_module("sgq_auto.search")
    if name in __all__:
        return getattr(importlib.import_module("sgq_auto.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
