"""What a prepared model is made of, seen in one forward pass: layers, sizes and program."""

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from sgq_auto.graphs import Graph
from sgq_auto.graphs.many_graphs import another
from sgq_auto.packed import ModelSpec
from sgq_auto.packed.runtime.program import Program
from sgq_auto.packed.sizes.data_flow import DataFlow
from sgq_auto.quantize.bind import bind
from sgq_auto.quantize.program.lower_program import Lowered, lower
from sgq_auto.quantize.program.recording import LayerCall, Recording, record

_FROZEN = (
    "for another graph its forward pass does something else, because it reads a number off the "
    "graph (its size, a mean, .item()); a file would keep that of this one"
)


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward pass at inference.

    Attributes:
        calls: The quantized layers in the order in which they ran.
        output: What the model returned.
        flow: How tensors pass between them.
        program: What the packed runtime would run; ``None`` where it cannot.
        unpackable: Why it cannot, in one line; empty where it can.
    """

    calls: tuple[LayerCall, ...]
    output: Any
    flow: DataFlow
    program: Program | None
    unpackable: str

    @property
    def spec(self) -> ModelSpec:
        """What sizes depend on."""
        return ModelSpec(tuple(call.layer.spec() for call in self.calls), self.flow)


def trace_model(prepared: nn.Module, graph: Graph) -> Trace:
    """Run a prepared model on its graph, in evaluation mode, and look at it."""
    recording = record(prepared, graph)
    lowered = lower(recording, graph.features.num_features)
    if lowered.program is not None and not _is_same_elsewhere(prepared, graph, lowered.program):
        lowered = Lowered(None, f"{type(prepared).__name__}: {_FROZEN}")
    flow = recording.flow
    if lowered.program is not None:
        flow = _packed_flow(recording, lowered.program)
    return Trace(recording.calls, recording.output, flow, lowered.program, lowered.reason)


def trace_spec(prepared: nn.Module, graph: Graph) -> ModelSpec:
    """The quantized layers of a prepared model as they run, and its data flow."""
    return trace_model(prepared, graph).spec


def _is_same_elsewhere(prepared: nn.Module, graph: Graph, program: Program) -> bool:
    """Whether another graph gives the same program: none has numbers or branches of this graph."""
    other = None if graph.bucket_rows is not None else another(graph)
    if other is None:
        return True
    try:
        again = lower(record(prepared, other), graph.features.num_features).program
    finally:
        bind(prepared, graph)
    return again is not None and again.is_same(program)


def _packed_flow(recording: Recording, program: Program) -> DataFlow:
    """The flow of a program, with what only PyG's own form of the model has."""
    seen = recording.flow
    return replace(program.flow(), shared=seen.shared, vector_elements=seen.vector_elements)
