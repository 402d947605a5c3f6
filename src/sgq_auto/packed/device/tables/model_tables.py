"""The constant tables of a model in C, and where what lies among them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sgq_auto.packed.allocation import FEATURES, FULL_PRECISION
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.device.passes import Held, Passes
from sgq_auto.packed.device.steps import Opcode, Register, Step
from sgq_auto.packed.device.tables.graph_tables import (
    add_buckets,
    add_features,
    add_given_graph,
    add_graph,
)
from sgq_auto.packed.device.tables.sparse_features import with_rows
from sgq_auto.packed.device.tables.table_parts import Place, Tables
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.device_footprint import DeviceBuffer

_NOWHERE = 0xFFFFFFFF


def tables_of(
    model: PackedModel,
    passes: Passes,
    planned: Sequence[DeviceBuffer],
    places: Sequence[int],
    registers: Mapping[Register, int],
    most_terms: int,
) -> Tables:
    """The tables of a model.

    Args:
        model: The model.
        passes: Its passes.
        planned: Its buffers.
        places: Where each buffer lies among the codes of the arena.
        registers: Where each register lies among the numbers of the arena.
        most_terms: How many neighbours a node may have, itself among them.
    """
    tables = Tables()
    graph, constants = model.graph, tables.constants
    constants["GIVEN_GRAPH"] = int(not model.holds_graph)
    if model.holds_graph:
        add_buckets(tables, graph.spec)
    named = _add_matrices(tables, model, passes, planned, places)
    _add_program(tables, passes, named, registers)
    if model.holds_graph:
        add_graph(tables, model, uses_edges=has_edges(passes))
    else:
        matrices = [named[f"buffer {k}"] for k in range(len(planned))]
        add_given_graph(tables, model, planned, matrices, most_terms)
    return tables


def has_edges(passes: Passes) -> bool:
    """Whether some step passes messages."""
    return any(step.gathers for step in passes.all_steps)


def _add_matrices(
    tables: Tables,
    model: PackedModel,
    passes: Passes,
    planned: Sequence[DeviceBuffer],
    places: Sequence[int],
) -> dict[str, int]:
    """Everything that steps name, and where it is."""
    named: dict[str, int] = {}
    opcodes = {step.opcode for step in passes.all_steps}
    reorders = not opcodes & {Opcode.READ_FEATURES, Opcode.REDUCE_FEATURES}
    named[FEATURES], order = add_features(tables, model, reorders=reorders)
    of_features = {
        step.tables["table2"]
        for step in passes.all_steps
        if step.opcode is Opcode.FEATURE_PRODUCT and order is not None
    }
    for name, weight in passes.weights.items():
        key = f"weight {name}"
        named[key] = _add_weight(tables, weight, order if key in of_features else None)
    for name, ranges in passes.ranges.items():
        rows = [(bits, 0) for bits in ranges.bits]
        named[f"ranges {name}"] = tables.add_matrix(1, ranges, Place.TABLES, rows)
    for name, numbers in passes.numbers.items():
        named[f"numbers {name}"] = tables.add_numbers(numbers)
    for k, place in enumerate(places):
        named[f"buffer {k}"] = _add_buffer(tables, model, passes.buffers[k], planned[k], (k, place))
    return named


def _add_buffer(
    tables: Tables, model: PackedModel, held: Held, buffer: DeviceBuffer, where: tuple[int, int]
) -> int:
    """A buffer: which one it is, and where it lies in the arena if that is known."""
    (k, place), graph, ranges = where, model.graph.spec, held.ranges
    rows = graph.rows(per_graph=held.per_graph)
    if not model.holds_graph:
        starts = [k * graph.num_buckets + bucket for bucket in range(len(rows))]
    elif buffer.one_row or held.per_graph:
        starts = [place] * len(rows)
    else:
        matrix = CodeMatrix(rows, held.width, ranges.bits, ranges, np.empty(0, np.uint8))
        starts = (place + matrix.byte_starts).tolist()
    kind = Place.ARENA_ONE_ROW if buffer.one_row else Place.ARENA
    kind = Place.ARENA_OF_GRAPH if held.per_graph else kind
    buckets = list(zip(ranges.bits, starts, strict=False))
    return tables.add_matrix(held.width, ranges, kind, buckets)


def _add_weight(tables: Tables, weight: PackedWeight, order: Array | None) -> int:
    """A weight, its rows in an order."""
    codes = weight.codes if order is None else with_rows(weight.codes, order)
    place, ranges = tables.add_bytes("weights", codes.stream), _NOWHERE
    if weight.bits != FULL_PRECISION:
        both = np.stack([weight.channels.step, weight.channels.offset], axis=1)
        ranges = tables.add_numbers(both)
    return tables.add_words([weight.codes.width, place, weight.bits, ranges])


def _add_program(
    tables: Tables, passes: Passes, named: Mapping[str, int], registers: Mapping[Register, int]
) -> None:
    constants = tables.constants
    both = zip(passes.steps, passes.graph_steps, strict=True) if passes.pools else ()
    # Where steps follow that run once for the graph, these have a count of their own.
    listed = [steps for pair in both for steps in pair] or passes.steps
    constants["HAS_GRAPH_STEPS"] = int(passes.pools)
    counts = [len(steps) for steps in listed]
    constants["PASSES"] = tables.add_words(np.concatenate(([0], np.cumsum(counts))))
    constants["STEPS"] = len(tables.words)
    for steps in listed:
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
