"""Engines of the packed runtime: compiled where numba is installed, numpy everywhere."""

from sgq_auto.packed.backends.numpy_engine import NumpyEngine
from sgq_auto.packed.backends.packed_engine import Engine, HeadParts

__all__ = ["Engine", "HeadParts", "NumpyEngine", "fastest_engine"]


def fastest_engine() -> Engine:
    """The compiled engine, or numpy's where numba is not installed."""
    try:
        from sgq_auto.packed.backends.compiled_engine import CompiledEngine

        return CompiledEngine()
    except ImportError:
        return NumpyEngine()
