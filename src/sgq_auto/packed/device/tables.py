"""The constant tables of a model in C: words, fp32 numbers and bytes, and where what lies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sgq_auto.packed.allocation import FEATURES, FULL_PRECISION
from sgq_auto.packed.codes.bit_packing import Array, Bytes, index_bits
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import BitmapRows, Blocks, EliasFanoRows
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import Opcode, Register, Step
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.device_footprint import DeviceBuffer

_NOWHERE = 0xFFFFFFFF
# Where the codes of a matrix are; the numbers are those of sgq_runtime.c.
_IN_TABLES, _IN_ARENA, _IN_ARENA_ONE_ROW = 0, 1, 2


@dataclass
class Tables:
    """Tables as they are filled.

    Attributes:
        words: 32-bit words.
        numbers: fp32 numbers.
        parts: The bytes, part by part, by what they are.
        constants: What ``sgq_model.h`` defines besides, by name.
    """

    words: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    parts: list[tuple[str, Bytes]] = field(default_factory=list)
    constants: dict[str, int] = field(default_factory=dict)
    _size: int = 0

    @property
    def bytes(self) -> Bytes:
        """All bytes, filled up to whole words."""
        filling = np.zeros(-self._size % 4, dtype=np.uint8)
        return np.concatenate([*(part for _, part in self.parts), filling])

    def add_words(self, values: Sequence[int] | Array) -> int:
        """Add words; the place of the first."""
        place = len(self.words)
        self.words += [int(value) for value in values]
        return place

    def add_numbers(self, values: Array) -> int:
        """Add fp32 numbers; the place of the first."""
        place = len(self.numbers)
        self.numbers += np.asarray(values, dtype=np.float32).ravel().tolist()
        return place

    def add_bytes(self, part: str, values: Bytes) -> int:
        """Add bytes; the place of the first."""
        place = self._size
        self.parts.append((part, values))
        self._size += values.size
        return place


def tables_of(
    model: PackedModel,
    passes: Passes,
    planned: Sequence[DeviceBuffer],
    places: Sequence[int],
    registers: Mapping[Register, int],
) -> Tables:
    """The tables of a model.

    Args:
        model: The model.
        passes: Its passes.
        planned: Its buffers.
        places: Where each buffer lies among the codes of the arena.
        registers: Where each register lies among the numbers of the arena.
    """
    tables = Tables()
    graph, constants = model.graph, tables.constants
    blocks = Blocks(graph.spec.bucket_nodes)
    ends = np.concatenate(([0], np.cumsum(graph.spec.bucket_nodes)))
    constants["BUCKET_ROWS"] = tables.add_words(ends)
    first_blocks = np.searchsorted(blocks.rows, ends[:-1])
    constants["BUCKET_BLOCKS"] = tables.add_words(first_blocks)
    named = _add_matrices(tables, model, passes, planned, places)
    _add_program(tables, passes, named, registers)
    _add_graph(tables, model, passes)
    return tables


def has_edges(passes: Passes) -> bool:
    """Whether some step passes messages."""
    return any(step.gathers for steps in passes.steps for step in steps)


def has_degrees(passes: Passes) -> bool:
    """Whether some coefficients follow from degrees."""
    steps = (step for steps in passes.steps for step in steps)
    return any(step.opcode is Opcode.GATHER and step.extra & 15 == 2 for step in steps)


def _add_matrices(
    tables: Tables,
    model: PackedModel,
    passes: Passes,
    planned: Sequence[DeviceBuffer],
    places: Sequence[int],
) -> dict[str, int]:
    """Everything that steps name, and where it is."""
    nodes, named = model.graph.spec.bucket_nodes, {}
    for name, weight in passes.weights.items():
        named[f"weight {name}"] = _add_weight(tables, weight)
    for name, ranges in passes.ranges.items():
        rows = [(bits, 0) for bits in ranges.bits]
        named[f"ranges {name}"] = _add_matrix(tables, 1, ranges, _IN_ARENA, rows)
    for name, numbers in passes.numbers.items():
        named[f"numbers {name}"] = tables.add_numbers(numbers)
    named[FEATURES] = _add_features(tables, model)
    both = enumerate(zip(passes.buffers, planned, places, strict=True))
    for k, (held, buffer, place) in both:
        matrix = CodeMatrix(nodes, held.width, held.ranges.bits, held.ranges, np.empty(0, np.uint8))
        starts = [place] * len(nodes) if buffer.one_row else (place + matrix.byte_starts).tolist()
        kind = _IN_ARENA_ONE_ROW if buffer.one_row else _IN_ARENA
        rows = list(zip(held.ranges.bits, starts, strict=False))
        named[f"buffer {k}"] = _add_matrix(tables, held.width, held.ranges, kind, rows)
    return named


def _add_weight(tables: Tables, weight: PackedWeight) -> int:
    place, ranges = tables.add_bytes("weights", weight.codes.stream), _NOWHERE
    if weight.bits != FULL_PRECISION:
        both = np.stack([weight.channels.step, weight.channels.offset], axis=1)
        ranges = tables.add_numbers(both)
    return tables.add_words([weight.codes.width, place, weight.bits, ranges])


def _add_matrix(
    tables: Tables, width: int, ranges: Ranges, kind: int, buckets: Sequence[tuple[int, int]]
) -> int:
    """Bits and first byte of each bucket, and what its codes stand for."""
    both = np.stack([ranges.step, ranges.offset], axis=1)
    listed = [number for bucket in buckets for number in bucket]
    return tables.add_words([width, tables.add_numbers(both), kind, *listed])


def _add_features(tables: Tables, model: PackedModel) -> int:
    features, constants = model.features, tables.constants
    values, pattern = features.values, features.pattern
    place = tables.add_bytes("features", values.stream)
    rows = list(zip(values.bits, (place + values.byte_starts).tolist(), strict=False))
    matrix = _add_matrix(tables, values.width, values.ranges, _IN_TABLES, rows)
    constants["FEATURE_VALUES"] = matrix
    constants["FEATURES_SPARSE"] = int(pattern is not None)
    constants["FEATURES_NORMALIZED"] = int(features.normalize_rows)
    if pattern is None:
        return matrix
    constants["FEATURE_STARTS"] = tables.add_words(values.row_starts[:-1])
    constants["FEATURE_BLOCKS"] = tables.add_words(pattern.block_starts)
    constants["NUM_STORED_FEATURES"] = int(pattern.block_starts[-1])
    constants["FEATURES_BITMAP"] = int(isinstance(pattern, BitmapRows))
    constants["FEATURES_LOW"], constants["FEATURES_LOW_BITS"] = 0, 0
    if isinstance(pattern, BitmapRows):
        constants["FEATURES_HIGH"] = tables.add_bytes("features", pattern.bitmap)
        return matrix
    assert isinstance(pattern, EliasFanoRows)
    constants["FEATURES_HIGH"] = tables.add_bytes("features", pattern.high)
    constants["FEATURES_LOW"] = tables.add_bytes("features", pattern.low)
    constants["FEATURES_LOW_BITS"] = pattern.layout.low_bits
    return matrix


def _add_graph(tables: Tables, model: PackedModel, passes: Passes) -> None:
    graph, constants = model.graph, tables.constants
    edges = graph.edges
    assert isinstance(edges, EliasFanoRows)
    constants["HAS_EDGES"] = int(has_edges(passes))
    constants["NUM_EDGES"] = edges.layout.count
    if has_edges(passes):
        constants["EDGE_BLOCKS"] = tables.add_words(edges.block_starts)
        constants["EDGES_HIGH"] = tables.add_bytes("edges", edges.high)
        constants["EDGES_LOW"] = tables.add_bytes("edges", edges.low)
        constants["EDGES_LOW_BITS"] = edges.layout.low_bits
    constants["USES_DEGREES"] = int(has_degrees(passes))
    if has_degrees(passes):
        constants["DEGREES"] = tables.add_bytes("degrees", graph.degrees.stream)
        constants["DEGREE_BITS"] = graph.degrees.bits
    constants["BUCKET_MAP"] = tables.add_bytes("bucket map", graph.bucket_map)
    is_mapped = graph.bucket_map.size > 0
    constants["BUCKET_MAP_BITS"] = index_bits(graph.spec.num_buckets - 1) if is_mapped else 0


def _add_program(
    tables: Tables, passes: Passes, named: Mapping[str, int], registers: Mapping[Register, int]
) -> None:
    counts = [len(steps) for steps in passes.steps]
    constants = tables.constants
    constants["PASSES"] = tables.add_words(np.concatenate(([0], np.cumsum(counts))))
    constants["STEPS"] = len(tables.words)
    for steps in passes.steps:
        for step in steps:
            tables.add_words(list(_step_words(step, named, registers)))
    reads = [passes.reads_of(position) for position in range(len(passes.steps))]
    constants["READS"] = tables.add_words(np.concatenate(([0], np.cumsum(list(map(len, reads))))))
    constants["READ_PASSES"] = tables.add_words(
        [source << 1 | gathered for listed in reads for source, gathered in listed]
    )


def _step_words(
    step: Step, named: Mapping[str, int], registers: Mapping[Register, int]
) -> Iterator[int]:
    inputs = [registers[register] for register in step.inputs]
    if step.scratch is not None:
        inputs = [registers[step.scratch], step.extra]
    first, second = [*inputs, 0, 0][:2]
    table, table2 = (named[step.tables[k]] if k in step.tables else 0 for k in ("table", "table2"))
    yield step.opcode
    yield 0 if step.out is None else registers[step.out] + step.columns[0]
    yield first + step.columns[1]
    yield second
    yield step.width
    yield table
    yield table2
    yield named[step.tables["extra"]] if "extra" in step.tables else step.extra
