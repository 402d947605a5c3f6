"""Engines: the arithmetic that training spends its time in, for CPUs and for any device."""

from sgq_auto.compute.engine import Engine, FixedMatrix, SparsePattern
from sgq_auto.compute.numba_engine import NumbaEngine
from sgq_auto.compute.torch_engine import TorchEngine

__all__ = ["Engine", "FixedMatrix", "NumbaEngine", "SparsePattern", "TorchEngine", "engine_for"]


def engine_for(device_type: str) -> Engine:
    """The fastest engine for a type of device: compiled kernels on ``cpu``, torch elsewhere."""
    return NumbaEngine() if device_type == "cpu" else TorchEngine()
