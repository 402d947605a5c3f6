"""Random packed models that pool what they make of nodes, and go on with graphs."""

from dataclasses import replace

import numpy as np

from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.bit_packing import PackedIntegers
from sgq_auto.packed.codes.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.layers.linear import LinearLayer, linear_spec
from sgq_auto.packed.runtime.operations.elementwise import Activate, Function
from sgq_auto.packed.runtime.operations.joins import Concatenate, Read
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.pooling import Pool, Pooling
from sgq_auto.packed.runtime.program import Output, Program, Stage

_BITS = (*range(1, 17), 32)
_SKIP, _LAYER = "pooled.skip", "readout"


def pooled(model: PackedModel, random: np.random.Generator) -> PackedModel:
    """A model whose output is pooled, to graphs at random, and read by a layer over graphs.

    Some of them keep what is pooled, past that layer, and pool nodes after it too.
    """
    stages, nodes = list(model.program.stages), model.num_nodes
    last, width = stages[-1], len(model.classes)
    (output,) = last.outputs
    poolings = random.choice(list(Pooling), int(random.integers(1, 3)))
    operations: list[Operation] = list(last.operations)
    made: list[int] = []
    for pooling in poolings:
        operations.append(Pool(inputs=(output.value,), pooling=Pooling(pooling), columns=width))
        made.append(len(operations))
    if len(made) > 1:
        operations.append(Concatenate(inputs=tuple(made)))
    if random.random() < 0.5:
        operations.append(Activate(inputs=(len(operations),), function=Function.TANH))
    wide, value, own_out = width * len(made), len(operations), int(random.integers(1, 6))
    out = own_out
    keeps, skips, ranges = random.random() < 0.6, dict(model.program.skips), dict(model.skips)
    outputs = [Output(value, f"{_LAYER}.input")]
    read: list[Operation] = []
    if keeps:
        outputs.append(Output(value, _SKIP))
        skips[_SKIP], ranges[_SKIP] = wide, _ranges(1, random)
        read = [Read(inputs=(), buffer=_SKIP), Concatenate(inputs=(0, 1))]
        out += wide
    buffers = [name for name, columns in model.program.skips.items() if columns]
    if keeps and buffers and random.random() < 0.7:
        # Nodes that were held past a layer over graphs.
        columns = model.program.skips[buffers[0]]
        own = Pool(inputs=(3,), pooling=Pooling(random.choice(list(Pooling))), columns=columns)
        read += [Read(inputs=(), buffer=buffers[0]), own, Concatenate(inputs=(2, 4))]
        out += columns
    stages[-1] = Stage(last.layer, tuple(operations), tuple(outputs), last.further)
    stages.append(Stage(_LAYER, tuple(read), (Output(len(read), None),)))
    head = _linear(wide, own_out, random)
    classes = tuple(f"class{k}" for k in range(out))
    layers, program = (*model.layers, head), Program(tuple(stages), skips)
    graphs = random.integers(0, int(random.integers(1, nodes + 1)), nodes)
    spec = replace(model.graph.spec, num_graphs=int(graphs.max()) + 1)
    packed = None
    if spec.num_graphs > 1:
        packed = PackedIntegers.pack(graphs, spec.num_graphs - 1)
    graph = replace(model.graph, spec=spec, graph_map=packed)
    new = {"layers": layers, "program": program, "classes": classes, "skips": ranges}
    return replace(model, graph=graph, **new)


def _linear(width: int, out: int, random: np.random.Generator) -> LinearLayer:
    bits = int(random.choice(_BITS))
    plain = Ranges((bits,), np.ones(1, np.float32), np.zeros(1, np.float32))
    high = 2**bits if bits < 32 else 1
    codes = (
        random.integers(0, high, (width, out)) if bits < 32 else random.normal(size=(width, out))
    )
    channels = _channels(out, bits)
    weight = PackedWeight(pack_matrix(codes, (width,), (bits,), plain), channels)
    spec = replace(linear_spec(_LAYER, width, out, bias=True), per_graph=True)
    bias = random.normal(size=out).astype(np.float32)
    return LinearLayer(spec=spec, inputs=_ranges(1, random), bias=bias, weight=weight)


def _channels(count: int, bits: int) -> Ranges:
    if bits == 32:
        return Ranges.full_precision(count)
    step = np.full(count, 2 / (2.0**bits - 1), np.float32)
    return Ranges((bits,) * count, step, np.full(count, -1, np.float32))


def _ranges(groups: int, random: np.random.Generator) -> Ranges:
    bits = tuple(int(b) for b in random.choice(_BITS, groups))
    full = np.array(bits) == 32
    step = np.where(full, 1.0, random.uniform(1, 3, groups) / (2.0 ** np.array(bits) - 1))
    offset = np.where(full, 0.0, random.uniform(-1, 0.5, groups))
    return Ranges(bits, step.astype(np.float32), offset.astype(np.float32))
