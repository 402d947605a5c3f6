"""sgq-auto: how few bytes can a graph neural network run in, and at what cost in accuracy.

The library, for a model and a graph of PyG:

- ``search(model, data, granularity="lwq_cwq_taq", ...)``: find the bits; the study, what it found
  and the packed model.
- ``prepare(model, data, granularity="uniform", bits=8, ...)``: make a model quantization-aware at
  chosen bits, to be trained and packed.
- ``pack(prepared, path)``: write such a model as an artifact.
- ``sgq_auto.packed.load(path)``: an artifact, to predict with; it needs numpy and safetensors only.

``help(sgq_auto.search)``, ``help(sgq_auto.prepare)`` and ``help(sgq_auto.pack)`` explain them. They
are loaded when they are first used: the packed runtime needs none of what they import.

On the command line: ``python -m sgq_auto`` lists the commands.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgq_auto.library import pack, prepare, search

__version__ = "0.1.0"
__all__ = ["pack", "prepare", "search"]


def __getattr__(name: str) -> Any:
    """The functions of the library."""
    if name in __all__:
        return getattr(importlib.import_module("sgq_auto.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is here, the functions that are not loaded yet among it."""
    return sorted({*globals(), *__all__})
