"""A packed model as the text of C files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sgq_auto.packed.device.c_text import (
    bytes_text,
    comment_text,
    numbers_text,
    string_text,
    words_text,
)
from sgq_auto.packed.device.lowering.lowered_model import lowered
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import Opcode, Register, Scoring
from sgq_auto.packed.device.tables.model_tables import tables_of
from sgq_auto.packed.device.tables.table_parts import Tables
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.device_footprint import (
    DeviceBuffer,
    DeviceFootprint,
    DeviceShape,
    index_bytes,
)

# Bits are counted in 32-bit integers on the device.
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class CModel:
    """A packed model in C.

    Attributes:
        model: The packed model.
    """

    model: PackedModel

    @cached_property
    def passes(self) -> Passes:
        """Its passes over the rows of the graph."""
        return lowered(self.model)

    @cached_property
    def tables(self) -> Tables:
        """Its constant tables.

        Raises:
            UnsupportedInCError: If they are too large for the runtime.
        """
        graph, allocation = self.model.graph.spec, self.model.allocation
        places = self._layout.buffer_places(graph, allocation)[0]
        registers, most = self._registers[0], self._layout.most_terms(graph, allocation)
        tables = tables_of(self.model, self.passes, self.buffers, places, registers, most)
        held = max(tables.bytes.size, self.footprint_of(tables).ram_bytes)
        if held > _MOST_BYTES:
            raise UnsupportedInCError(f"tables or an arena of {held} bytes, above {_MOST_BYTES}")
        return tables

    @cached_property
    def buffers(self) -> tuple[DeviceBuffer, ...]:
        """Its buffers."""
        return tuple(held.planned for held in self.passes.buffers)

    @cached_property
    def shape(self) -> DeviceShape:
        """What its sizes depend on, for any allocation of bits on the same graph."""
        return self._shape_of(self.tables)

    @property
    def footprint(self) -> DeviceFootprint:
        """Flash and RAM that it takes."""
        return self.footprint_of(self.tables)

    def footprint_of(self, tables: Tables) -> DeviceFootprint:
        """The same, with given tables."""
        return self._shape_of(tables).footprint(self.model.graph.spec, self.model.allocation)

    @cached_property
    def _registers(self) -> tuple[Mapping[Register, int], int]:
        return self.passes.places()

    @property
    def _layout(self) -> DeviceShape:
        """Its shape, as far as it is known before there are tables."""
        return self._shape_of(Tables())

    def _shape_of(self, tables: Tables) -> DeviceShape:
        passes = self.passes
        weights = passes.weights.values()
        channels = sum(2 * w.codes.width for w in weights if w.bits != 32)
        return DeviceShape(
            layers=tuple({layer.spec.name: layer.spec for layer in self.model.layers}.values()),
            buffers=self.buffers,
            reals=self._registers[1],
            # Even, so that what comes after them is aligned for numbers of 8 bytes too.
            sums=passes.num_sums + passes.num_sums % 2,
            lanes=passes.num_lanes,
            code_sums=tuple(dict.fromkeys(passes.code_sums)),
            words=len(tables.words),
            numbers=len(tables.numbers) - channels,
            feature_places=tables.pattern_bytes.get("features", 0),
            edges=tables.pattern_bytes.get("edges", 0),
        )

    def source(self) -> str:
        """``sgq_model.c``: the tables."""
        tables = self.tables
        return _SOURCE.format(
            words=words_text(tables.words),
            numbers=numbers_text(tables.numbers),
            bytes=bytes_text(tables.bytes),
        )

    def header(self) -> str:
        """``sgq_model.h``: sizes, names of classes, and what the runtime is compiled with."""
        model, tables = self.model, self.tables
        spec, allocation = model.graph.spec, model.allocation
        sums = self.shape.sum_bytes(spec, allocation)
        codes = self.shape.buffer_places(spec, allocation)[1]
        constants = {
            "NUM_NODES": spec.num_nodes,
            "NUM_FEATURES": model.features.spec.num_features,
            "NUM_OUTPUTS": len(model.classes),
            "NUM_BUCKETS": spec.num_buckets,
            "NUM_PASSES": len(self.passes.steps),
            "ARENA_SUMS": self.shape.sums,
            "ARENA_LANES": self.shape.lanes,
            "ARENA_REALS": self.shape.reals,
            "ARENA_GRAPH": self.shape.given_graph_bytes(spec),
            "ARENA_CODES": codes,
            "PREDICTS_GRAPHS": int(model.program.predicts_graphs),
            **tables.constants,
        }
        used = {step.opcode for step in self.passes.all_steps}
        constants |= {f"HAS_{opcode.name}": int(opcode in used) for opcode in Opcode}
        constants |= {
            f"HAS_SCORING_{scoring.name}": int(scoring in self.passes.scorings)
            for scoring in Scoring
        }
        return _HEADER.format(
            origin=comment_text(str(model.source.get("study", ""))) or "a packed model",
            flash=self.footprint.flash_bytes,
            ram=self.footprint.ram_bytes,
            constants="\n".join(
                f"#define SGQ_{name} {value}U" for name, value in constants.items()
            ),
            classes=", ".join(map(string_text, model.classes)),
            sum_type="uint32_t" if sums == 4 else "uint64_t",
            index_type="uint16_t" if index_bytes(spec) == 2 else "uint32_t",
            words=len(tables.words),
            numbers=len(tables.numbers),
            bytes=tables.bytes.size,
        )


_SOURCE = """\
/* The tables of a packed model: constant, so that a linker puts them into flash. Written by
 * sgq-auto; sgq_model.h says how large they are and what lies where. */
#include "sgq_model.h"

const sgq_model_tables sgq_tables = {{
{{
{words}
}},
{{
{numbers}
}},
{{
{bytes}
}}
}};
"""

_HEADER = """\
/* A packed model: {origin}. Written by sgq-auto; include sgq_runtime.h, which includes this.
 *
 * Flash: {flash} bytes of tables. RAM: {ram} bytes of arena, SGQ_ARENA_BYTES of sgq_runtime.h. */
#ifndef SGQ_MODEL_H
#define SGQ_MODEL_H

#include <stdint.h>

/* Names of the classes, in the order of the outputs: an initializer for an array of strings. */
#define SGQ_CLASS_NAMES {{ {classes} }}

/* Sizes, what lies where in the tables, and which steps the runtime needs. */
{constants}

/* Sums of codes. */
typedef {sum_type} sgq_sum;

/* Nodes and edges of a graph that is given. */
typedef {index_type} sgq_index;

typedef struct {{
    uint32_t words[{words}];
    float numbers[{numbers}];
    uint8_t bytes[{bytes}];
}} sgq_model_tables;

extern const sgq_model_tables sgq_tables;

#endif
"""
