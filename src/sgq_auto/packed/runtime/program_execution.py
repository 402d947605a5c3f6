"""One forward pass of a program: stage by stage, each a chunk of rows at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges, to_fp32
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.operations.norms import GraphNorm
from sgq_auto.packed.runtime.operations.operation import Float32
from sgq_auto.packed.runtime.operations.pooling import Pool
from sgq_auto.packed.runtime.operations.row_reductions import ColumnSums, PooledRows
from sgq_auto.packed.runtime.program import Program, Stage, input_buffer

# The positions of operations, and the values that nothing reads after each.
_Plan = list[tuple[int, tuple[int, ...]]]
# Numbers of one value of a chunk that operations have at once, 512 KiB in fp64, and of all.
_CHUNK_VALUES, _CHUNK_ALL_VALUES = 1 << 16, 1 << 18


@dataclass(frozen=True, eq=False)
class Parts:
    """What a program is made of.

    Attributes:
        program: The order of things.
        layers: Its layers by name.
        skips: Ranges of its skip connections by name.
    """

    program: Program
    layers: Mapping[str, PackedLayer]
    skips: Mapping[str, Ranges]

    def widths(self, stage: Stage, num_features: int) -> list[int]:
        """Columns of each value of a stage."""
        inputs = {name: layer.spec.in_features for name, layer in self.layers.items()}
        outputs: dict[str | None, int] = {None: num_features}
        outputs |= {name: layer.out_features for name, layer in self.layers.items()}
        return self.program.widths(stage, inputs | {FEATURES: num_features}, outputs)


def run_program(parts: Parts, inference: Inference) -> Float32:
    """One forward pass.

    Each stage writes what later ones need, a chunk of rows at a time, into packed buffers, which
    are let go after their last use; the last stage writes the logits.

    Args:
        parts: The model.
        inference: The graph, its features, and the arithmetic.

    Returns:
        Logits fp32 ``[N, classes]``, nodes in their own order; or ``[graphs, classes]``.
    """
    stages, num_features = parts.program.stages, inference.features.spec.num_features
    widths = [parts.widths(stage, num_features) for stage in stages]
    state = _State(parts, inference, widths[-1][stages[-1].outputs[0].value])
    for position, stage in enumerate(stages):
        state.make_outputs(stage)
        _StageRun(stage, state, widths[position]).run()
        state.release(position)
    return state.logits


class _State:
    """What is held while a program runs.

    Attributes:
        held: The buffers in use, by name.
        logits: fp32, a row a node or a graph, filled by the last stage.
    """

    def __init__(self, parts: Parts, inference: Inference, classes: int) -> None:
        self.parts = parts
        self.inference = inference
        self.held: dict[str, CodeMatrix] = {}
        rows = sum(inference.graph.spec.rows(per_graph=parts.program.predicts_graphs))
        self.logits = np.empty((rows, classes), dtype=np.float32)
        self._order = None if parts.program.predicts_graphs else inference.graph.node_order()
        self._inputs = {input_buffer(name): layer for name, layer in parts.layers.items()}

    def make_outputs(self, stage: Stage) -> None:
        """Empty buffers for what a stage writes."""
        for output in stage.outputs:
            name = output.buffer
            if name is None:
                continue
            layer = self._inputs.get(name)
            if layer is not None:
                width, ranges = layer.spec.in_features, layer.inputs
            else:
                width, ranges = self.parts.program.skips[name], self.parts.skips[name]
            per_graph = name in self.parts.program.graph_buffers
            self.held[name] = self.inference.embedding(name, width, ranges, per_graph=per_graph)

    def release(self, position: int) -> None:
        """Let go of what no stage after this one reads."""
        for name in list(self.held):
            if self.parts.program.last_reads.get(name, -1) <= position:
                del self.held[name]

    def rows(self, buffer: str, chunk: Chunk) -> Floats:
        """Rows of a buffer or of the node features, fp64."""
        inference = self.inference
        if buffer == FEATURES:
            return inference.features.rows_of(inference.engine, chunk)
        return inference.engine.read(self.held[buffer], chunk.row, chunk.stop)

    def write(self, buffer: str | None, chunk: Chunk, x: Floats) -> None:
        """Pack rows into a buffer, or keep them as logits."""
        if buffer is None:
            rows = slice(chunk.row, chunk.stop)
            self.logits[rows if self._order is None else self._order[rows]] = to_fp32(x)
        else:
            self.inference.engine.write(self.held[buffer], chunk.row, np.ascontiguousarray(x))


class _StageRun:
    """Runs a stage: once for each norm that needs statistics of all nodes, then for its outputs.

    Rows of nodes come first, and what is pooled from them; rows of graphs follow.

    Args:
        stage: The stage.
        state: What is held.
        widths: Columns of each of its values.
    """

    def __init__(self, stage: Stage, state: _State, widths: Sequence[int]) -> None:
        self._stage = stage
        self._state = state
        self._inference = state.inference
        self._widths = widths
        # Of each value, whether its rows are graphs.
        self._of_graphs = state.parts.program.values_of_graphs(stage)
        rows = min(_CHUNK_VALUES // max(widths), _CHUNK_ALL_VALUES // sum(widths))
        self._rows = max(1, rows)
        # Factors and shifts of norms over all nodes, by the position of their operation.
        self._affine: dict[int, tuple[Floats, Floats]] = {}
        # What is pooled, by the position of its operation.
        self._pooled: dict[int, PooledRows] = {}

    def run(self) -> None:
        """Compute the stage."""
        graph = self._inference.graph
        for position, operation in enumerate(self._stage.operations):
            value = operation.inputs[0] if operation.inputs else 0
            if isinstance(operation, GraphNorm):
                sums = ColumnSums(self._widths[value])
                self._pass(partial(_sum_up, sums, value), {value})
                self._affine[position] = operation.affine(sums.found(graph.spec.num_nodes))
            elif isinstance(operation, Pool):
                pooled = PooledRows(operation.pooling, graph, operation.columns)
                name = f"{self._stage.layer}.pooled.{position}"
                self._inference.made[name] = pooled.held.nbytes
                self._pooled[position] = pooled
        outputs = {output.value for output in self._stage.outputs}
        of_graphs = {value for value in outputs if self._of_graphs[value]}
        pooled_from = {self._stage.operations[k].inputs[0] for k in self._pooled}
        self._pass(self._take, (outputs - of_graphs) | pooled_from)
        self._pass(self._write, of_graphs)

    def _take(self, chunk: Chunk, values: dict[int, Floats]) -> None:
        """Write rows of nodes, and take them in where they are pooled."""
        self._write(chunk, values)
        for position, pooled in self._pooled.items():
            pooled.add(chunk, values[self._stage.operations[position].inputs[0]])

    def _write(self, chunk: Chunk, values: dict[int, Floats]) -> None:
        for output in self._stage.outputs:
            if output.value in values:
                self._state.write(output.buffer, chunk, values[output.value])

    def _pass(self, work: Callable[[Chunk, dict[int, Floats]], None], wanted: set[int]) -> None:
        """Compute some values, chunk by chunk, and hand them on; all have rows of one kind."""
        if not wanted:
            return
        per_graph = any(self._of_graphs[value] for value in wanted)
        plan = _needed(self._stage, wanted)
        if per_graph != self._of_graphs[0]:
            width = max(self._widths)
            self._inference.for_rows(
                lambda chunk: work(chunk, self._values(chunk, {}, plan)), width, per_graph=per_graph
            )
            return

        def sink(chunk: Chunk, x: Floats) -> None:
            if not plan or chunk.num_rows <= self._rows:
                work(chunk, self._values(chunk, {0: x}, plan))
                return
            for first in range(0, chunk.num_rows, self._rows):
                last = min(first + self._rows, chunk.num_rows)
                part = chunk.rows_from(first, last)
                work(part, self._values(part, {0: x[first:last]}, plan))

        name, inference, parts = self._stage.layer, self._inference, self._state.parts
        if name is None:
            inference.for_feature_rows(sink)
            return
        source = parts.program.source_of(name)
        held = inference.features if source == FEATURES else self._state.held[source]
        rows = [partial(self._state.rows, buffer) for buffer in self._stage.further]
        parts.layers[name].run_with(inference, held, rows, sink)

    def _values(self, chunk: Chunk, values: dict[int, Floats], plan: _Plan) -> dict[int, Floats]:
        for position, no_longer_read in plan:
            operation = self._stage.operations[position]
            if isinstance(operation, Read):
                made = self._state.rows(operation.buffer, chunk)
            elif isinstance(operation, Pool):
                made = self._pooled[position].rows(chunk.row, chunk.stop)
            else:
                given = [values[k] for k in operation.inputs]
                made = operation(*given, *self._affine.get(position, ()))
            values[position + 1] = made
            for value in no_longer_read:
                del values[value]
        return values


def _sum_up(sums: ColumnSums, value: int, chunk: Chunk, values: dict[int, Floats]) -> None:
    sums.add(chunk, values[value])


def _needed(stage: Stage, wanted: set[int]) -> _Plan:
    """The operations that some values need, in order, and what each is the last one to read."""
    needed, kept = set(wanted), set(wanted)
    plan: _Plan = []
    for position in reversed(range(len(stage.operations))):
        if position + 1 not in needed:
            continue
        operation = stage.operations[position]
        # What is pooled is there already.
        inputs = set(() if isinstance(operation, Pool) else operation.inputs)
        plan.append((position, tuple(inputs - kept)))
        needed |= inputs
        kept |= inputs
    return plan[::-1]
