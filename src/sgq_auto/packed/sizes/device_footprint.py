"""Flash and RAM of a model in C, for any allocation of bits.

- ``flash_bytes``: the constant tables. The code comes on top; the compiler decides its size.
- ``ram_bytes``: the arena, which holds all that changes while the graph's nodes are predicted. The
  stack comes on top, a fixed few hundred bytes.

Both are exact for the C model as it is shipped, whose numbers between codes are fp32.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgq_auto.packed.allocation import FULL_PRECISION, BitAllocation, Component, Site
from sgq_auto.packed.codes.bit_packing import packed_bytes
from sgq_auto.packed.sizes.shape_specs import GraphSpec, LayerSpec
from sgq_auto.packed.sizes.tensor_storage import PackedStorage

# Bytes after the tables' last one: words are read whole, from any bit on.
READ_AHEAD = 8
_WORD, _FP32, _SCALE_AND_OFFSET = 4, 4, 8
_LARGEST_WORD, _LARGEST_HALF_WORD = (1 << 32) - 1, (1 << 16) - 1


@dataclass(frozen=True)
class DeviceFootprint:
    """Bytes of one allocation on a device.

    Attributes:
        flash_bytes: Constant tables.
        ram_bytes: The arena.
    """

    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class DeviceBuffer:
    """An embedding that is held in codes while passes run.

    Attributes:
        name: Its name.
        layer: The layer, or skip connection, whose embedding bits it has.
        width: Columns.
        first: The pass that writes it.
        last: The last pass that reads it.
        one_row: Whether a row is written and read in one pass, so that only one is ever held.
        per_graph: Whether its only row is that of the whole graph.
    """

    name: str
    layer: str
    width: int
    first: int
    last: int
    one_row: bool
    per_graph: bool = False

    def num_bytes(self, graph: GraphSpec, allocation: BitAllocation) -> int:
        """Its size."""
        if self.per_graph:
            return packed_bytes(self.width, allocation[Site(self.layer, Component.EMBEDDING)])
        if not self.one_row:
            return PackedStorage(graph, allocation).embedding(self.layer, self.width)
        sites = (Site(self.layer, Component.EMBEDDING, b) for b in range(graph.num_buckets))
        held = zip(sites, graph.bucket_nodes, strict=True)
        return max(packed_bytes(self.width, allocation[site]) for site, rows in held if rows)


@dataclass(frozen=True)
class CodeSum:
    """A sum of products of two codes, which must fit the integer that holds it.

    Attributes:
        terms: The most terms that it has.
        left: Layer and component of one code; ``None`` where it is 1.
        right: Layer and component of the other.
        gathers: Whether it has a term for each edge into a node, and one for the node.
    """

    terms: int
    left: tuple[str, Component] | None
    right: tuple[str, Component]
    gathers: bool = False

    def largest(self, graph: GraphSpec, allocation: BitAllocation) -> int:
        """The largest that it may be."""
        return self.terms * self.largest_term(graph, allocation)

    def largest_term(self, graph: GraphSpec, allocation: BitAllocation) -> int:
        """The largest that one of its terms may be."""
        left = 1 if self.left is None else _largest_code(*self.left, graph, allocation)
        return left * _largest_code(*self.right, graph, allocation)


@dataclass(frozen=True)
class DeviceShape:
    """What the bytes of a model in C depend on, besides the graph and the bits.

    Attributes:
        layers: Its layers, each once.
        buffers: Its embeddings.
        reals: Numbers of its registers.
        sums: Whole numbers that sums of codes need.
        lanes: 32-bit words in which some such sums lie side by side at first.
        code_sums: What these sums may be.
        words: 32-bit words of its tables.
        numbers: fp32 numbers of its tables, but for ranges of output channels.
        feature_places: Bytes of what says where stored features are; the bits do not change them.
        edges: Bytes of the edges.
    """

    layers: tuple[LayerSpec, ...]
    buffers: tuple[DeviceBuffer, ...]
    reals: int
    sums: int
    lanes: int
    code_sums: tuple[CodeSum, ...]
    words: int
    numbers: int
    feature_places: int
    edges: int

    def footprint(self, graph: GraphSpec, allocation: BitAllocation) -> DeviceFootprint:
        """Flash and RAM under an allocation, exactly."""
        sums = self.sums * self.sum_bytes(graph, allocation)
        codes = self.buffer_places(graph, allocation)[1]
        return DeviceFootprint(
            flash_bytes=sum(self.flash_parts(graph, allocation).values()),
            ram_bytes=sums + self.number_bytes + self.given_graph_bytes(graph) + codes,
        )

    @property
    def number_bytes(self) -> int:
        """What the arena holds of lanes and registers."""
        return _WORD * self.lanes + _FP32 * self.reals

    def given_graph_bytes(self, graph: GraphSpec) -> int:
        """What the arena holds of a graph that is given, the largest one.

        Where each bucket of each buffer starts; and of the edges, the first into each node, their
        sources, and, where there are buckets, the row of each node. Where layers read weights of
        edges, these, and what coefficients divide them by.
        """
        if graph.holds_edges:
            return 0
        rows = graph.num_nodes if graph.num_buckets > 1 else 0
        indices = graph.num_nodes + 1 + graph.num_edges + rows
        places = _WORD * len(self.buffers) * graph.num_buckets
        held = places + indices * index_bytes(graph)
        reading = [layer for layer in self.layers if layer.edge_weights]
        if reading:
            roots = any(layer.attention_from_degrees for layer in reading)
            held += -held % _FP32 + _FP32 * (graph.num_edges + roots * graph.num_nodes)
        return held

    def flash_parts(self, graph: GraphSpec, allocation: BitAllocation) -> dict[str, int]:
        """Flash by part of the tables."""
        storage = PackedStorage(graph, allocation)
        channels = sum(
            rows
            for layer in self.layers
            for rows, _ in layer.weight_shapes
            if allocation[Site(layer.name, Component.WEIGHT)] != FULL_PRECISION
        )
        reads_weights = graph.holds_edges and any(layer.edge_weights for layer in self.layers)
        parts = {
            "features": 0 if graph.inductive else storage.feature_values(),
            "places of features": self.feature_places,
            "edges": self.edges,
            "edge weights": storage.edge_weights(normalized=False) if reads_weights else 0,
            "bucket map": storage.bucket_map() if graph.holds_edges else 0,
            "weights": sum(storage.weight(la) for la in self.layers if la.weight_shape),
        }
        parts["filling"] = (-sum(parts.values())) % _WORD
        parts["read ahead"] = READ_AHEAD
        ranges = _SCALE_AND_OFFSET * channels
        return parts | {
            "ranges and parameters": ranges + _FP32 * self.numbers,
            "program and index": _WORD * self.words,
        }

    def sum_bytes(self, graph: GraphSpec, allocation: BitAllocation) -> int:
        """Bytes of the integer that holds a sum of codes: 4, or 8 where one may be too large."""
        largest = (sums.largest(graph, allocation) for sums in self.code_sums)
        return 4 if max(largest, default=0) <= _LARGEST_WORD else 8

    def most_terms(self, graph: GraphSpec, allocation: BitAllocation) -> int:
        """How many neighbours, itself among them, a node may have: no sum is then too large."""
        largest = (1 << 8 * self.sum_bytes(graph, allocation)) - 1
        terms = (s.largest_term(graph, allocation) for s in self.code_sums if s.gathers)
        return min([largest // max(term, 1) for term in terms] + [_LARGEST_WORD])

    def buffer_places(
        self, graph: GraphSpec, allocation: BitAllocation
    ) -> tuple[tuple[int, ...], int]:
        """Where each buffer lies among the codes of the arena, and how many bytes these take."""
        sizes = [buffer.num_bytes(graph, allocation) for buffer in self.buffers]
        return places_of(sizes, [(b.first, b.last) for b in self.buffers])


def index_bytes(graph: GraphSpec) -> int:
    """Bytes of a number that counts nodes or edges of a graph that is given."""
    return 2 if max(graph.num_nodes, graph.num_edges) <= _LARGEST_HALF_WORD else 4


def places_of(
    sizes: Sequence[int], spans: Sequence[tuple[int, int]]
) -> tuple[tuple[int, ...], int]:
    """Places of buffers of which no two lie on each other while both are needed.

    The largest comes first, each where it fits lowest.

    Args:
        sizes: The size of each.
        spans: The first and last moment at which each is needed.

    Returns:
        The place of each, and the end of all of them.
    """
    places = [0] * len(sizes)
    placed: list[int] = []
    for k in sorted(range(len(sizes)), key=lambda k: (-sizes[k], spans[k])):
        first, last = spans[k]
        others = [j for j in placed if spans[j][0] <= last and first <= spans[j][1]]
        place = 0
        for j in sorted(others, key=lambda j: places[j]):
            if place + sizes[k] <= places[j]:
                break
            place = max(place, places[j] + sizes[j])
        places[k] = place
        placed.append(k)
    return tuple(places), max((p + n for p, n in zip(places, sizes, strict=True)), default=0)


def _largest_code(
    layer: str, component: Component, graph: GraphSpec, allocation: BitAllocation
) -> int:
    """The largest code of a component; fp32 values are none."""
    if Site(layer, component) in allocation:
        sites = [Site(layer, component)]
    else:
        sites = [Site(layer, component, b) for b in range(graph.num_buckets)]
    bits = [allocation[site] for site in sites if allocation[site] != FULL_PRECISION]
    return int((1 << max(bits, default=0)) - 1)


def bytes_of_sums(largest: NDArray[np.int64]) -> NDArray[np.int64]:
    """:meth:`DeviceShape.sum_bytes` of many allocations, from the largest sums that they have."""
    return np.where(largest <= _LARGEST_WORD, 4, 8)
