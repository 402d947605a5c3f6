"""The memory figures of a quantized model on a graph: the one authority on sizes.

- ``resident_bytes``: every buffer that one inference over the whole graph holds, each once.
- ``stored_bytes``: the same without activations; the artifact's payload on disk.
- ``peak_bytes``: the most that is held at one moment, each buffer freed after its last use.
- ``sgquant_bytes``: elements times bits, as the SGQuant authors count (arXiv 2007.05100).
- ``flash_bytes``, ``ram_bytes``: the tables and the arena of the model in C, where there is one
  (:mod:`sgq_auto.packed.sizes.device_sizes`).

The caller's output (the logits) and per-chunk scratch of bounded size are counted on no side.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from sgq_auto.objective import Objective
from sgq_auto.packed.allocation import (
    EDGE_WEIGHTS,
    FEATURES,
    FULL_PRECISION,
    BitAllocation,
    Component,
    Site,
)
from sgq_auto.packed.sizes.buffers import Buffer, Part, inference_buffers
from sgq_auto.packed.sizes.device_sizes import DeviceSizes
from sgq_auto.packed.sizes.reference_storage import PygStorage, SparseFp32Storage
from sgq_auto.packed.sizes.sgquant_elements import sgquant_elements
from sgq_auto.packed.sizes.shape_specs import GraphSpec, ModelSpec
from sgq_auto.packed.sizes.tensor_storage import PackedStorage, TensorStorage


@dataclass(frozen=True)
class Footprint:
    """Bytes of one allocation (or of a reference) on one graph; ``None`` for what is not known."""

    resident_bytes: int
    stored_bytes: int
    peak_bytes: int
    sgquant_bytes: int
    flash_bytes: int | None = None
    ram_bytes: int | None = None

    def as_dict(self) -> dict[str, int]:
        """The figures that are known, by name."""
        return {name: figure for name, figure in asdict(self).items() if figure is not None}

    def figure(self, objective: Objective) -> int:
        """The figure that ``objective`` names.

        Raises:
            KeyError: If it is of the model in C, and there is none.
        """
        return self.as_dict()[objective.value]


@dataclass(frozen=True)
class FootprintModel:
    """Computes footprints of one model on one graph.

    Attributes:
        model: What the sizes of the model depend on.
        graph: What those of the graph depend on.
        device: Sizes of the model in C; ``None`` where they are not asked for.
    """

    model: ModelSpec
    graph: GraphSpec
    device: DeviceSizes | None = None

    def sites(self) -> tuple[Site, ...]:
        """Every site of the model on this graph."""
        return self.model.sites(self.graph.num_buckets)

    def exact_sites(self) -> frozenset[Site]:
        """Sites whose values are the same at any bits: features that are all equal."""
        constant = enumerate(self.graph.features.bucket_constant)
        return frozenset(
            Site(FEATURES, Component.EMBEDDING, b) for b, is_constant in constant if is_constant
        )

    def packed(self, allocation: BitAllocation) -> Footprint:
        """The footprint of a packed model."""
        return self._measure(PackedStorage(self.graph, allocation), allocation)

    def full_precision(self) -> Footprint:
        """The footprint of the same model in PyG, fp32; flash and RAM are of fp32 in C."""
        return self._measure(PygStorage(self.graph), self.all_full())

    def sparse_fp32(self) -> Footprint:
        """The same in fp32 with sparse features and int32 CSR; flash and RAM as before."""
        return self._measure(SparseFp32Storage(self.graph), self.all_full())

    def packed_parts(self, allocation: BitAllocation) -> dict[str, int]:
        """Resident bytes of a packed model by part."""
        return self._parts(PackedStorage(self.graph, allocation), "num_bytes")

    def stored_parts(self, allocation: BitAllocation) -> dict[str, int]:
        """Stored bytes of a packed model by part."""
        return self._parts(PackedStorage(self.graph, allocation), "stored_bytes")

    def full_precision_parts(self) -> dict[str, int]:
        """Resident bytes of the same model in PyG, fp32, by part."""
        return self._parts(PygStorage(self.graph), "num_bytes")

    def sparse_fp32_parts(self) -> dict[str, int]:
        """Resident bytes in fp32 with sparse features and int32 CSR, by part."""
        return self._parts(SparseFp32Storage(self.graph), "num_bytes")

    def additive_bits(self, allocation: BitAllocation, objective: Objective) -> tuple[int, ...]:
        """Terms in bits, each a sum over sites; the largest, in whole bytes, is the figure.

        A figure of many allocations can so be had from what each site adds to each term. Flash is
        in whole words; RAM is no such sum, see :mod:`sgq_auto.packed.sizes.device_sizes`.

        Raises:
            KeyError: For RAM.
        """
        if objective is Objective.FLASH_BYTES and self.device is not None:
            return (8 * self.device.flash_before_filling(allocation),)
        return self._terms(PackedStorage(self.graph, allocation), allocation)[objective]

    def average_bits(self, allocation: BitAllocation) -> float:
        """Mean bits over all elements of features, embeddings, attention and weights."""
        elements = bits = 0
        for site, count in self._elements():
            elements += count
            bits += count * allocation[site]
        return bits / elements

    def hidden_bits(self, allocation: BitAllocation) -> float:
        """Bits an element of the embeddings between features and logits, everything counted.

        That is padded codes, their scales and offsets, and the bucket map that tells which range
        a row has; over the elements of every embedding that the runtime holds, 0 if there is none.
        """
        storage = PackedStorage(self.graph, allocation)
        made = zip(self.model.layers, self.model.dataflow.inputs, strict=True)
        hidden = [(la, la.in_features) for la, after in made if after is not None]
        hidden += [(la, la.transformed_features) for la in self.model.layers]
        hidden += [
            (la, la.gathered_features) for la in self.model.layers for _ in range(la.further_hops)
        ]
        named = [(layer.name, width, layer.per_graph) for layer, width in hidden if width]
        skips = self.model.dataflow.skips
        named += [(skip.name, skip.features, skip.per_graph) for skip in skips]
        held, elements = storage.bucket_map(), 0
        for name, width, per_graph in named:
            held += storage.embedding(name, width, per_graph=per_graph)
            held += storage.embedding_scales(name, per_graph=per_graph)
            elements += width * sum(self.graph.rows(per_graph=per_graph))
        return 8 * held / elements if elements else 0.0

    def sgquant_elements(self) -> dict[str, int]:
        """Elements per layer in the accounting of the SGQuant authors."""
        totals = {layer.name: 0 for layer in self.model.layers}
        totals |= {skip.name: 0 for skip in self.model.dataflow.skips}
        for layer, _, count in sgquant_elements(self.model, self.graph):
            totals[layer] += count
        return totals

    def _measure(self, storage: TensorStorage, allocation: BitAllocation) -> Footprint:
        terms = self._terms(storage, allocation)
        on_device = {} if self.device is None else asdict(self.device.footprint(allocation))
        sizes = {kind.value: -(-max(bits) // 8) for kind, bits in terms.items()}
        return Footprint(**sizes, **on_device)

    def _terms(
        self, storage: TensorStorage, allocation: BitAllocation
    ) -> dict[Objective, tuple[int, ...]]:
        buffers = inference_buffers(self.model, self.graph, storage)
        steps = range(2 * len(self.model.layers))
        counted = sum(
            n * allocation[site] for _, site, n in sgquant_elements(self.model, self.graph)
        )
        return {
            Objective.RESIDENT_BYTES: (_bits(buffers),),
            Objective.STORED_BYTES: (8 * sum(b.stored_bytes for b in buffers),),
            Objective.PEAK_BYTES: tuple(
                _bits(b for b in buffers if b.first <= step <= b.last) for step in steps
            ),
            Objective.SGQUANT_BYTES: (counted,),
        }

    def _parts(self, storage: TensorStorage, figure: str) -> dict[str, int]:
        parts = dict.fromkeys(Part, 0)
        for buffer in inference_buffers(self.model, self.graph, storage):
            parts[buffer.part] += getattr(buffer, figure)
        return {part.value: num_bytes for part, num_bytes in parts.items()}

    def _elements(self) -> Iterator[tuple[Site, int]]:
        graph = self.graph
        if self.model.reads_edge_weights:
            for bucket, edges in enumerate(graph.bucket_edges):
                numbers = edges * graph.edge_columns
                yield Site(EDGE_WEIGHTS, Component.ATTENTION, bucket), numbers
        for layer, made in zip(self.model.layers, self.model.dataflow.inputs, strict=True):
            hops = layer.further_hops * layer.gathered_features
            gathered = graph.gathered_edges(layer)
            for own, rows in graph.embedding_rows(layer.name, per_graph=layer.per_graph):
                source = Site(FEATURES, Component.EMBEDDING, own.bucket) if made is None else own
                yield source, rows * layer.in_features
                if layer.transformed_features or hops:
                    yield own, rows * (layer.transformed_features + hops)
            for bucket, edges in enumerate(gathered if layer.heads else ()):
                yield Site(layer.name, Component.ATTENTION, bucket), edges * layer.heads
            for rows, columns in layer.weight_shapes:
                yield Site(layer.name, Component.WEIGHT), rows * columns
        for skip in self.model.dataflow.skips:
            for site, rows in graph.embedding_rows(skip.name, per_graph=skip.per_graph):
                yield site, rows * skip.features

    def all_full(self) -> BitAllocation:
        """Full precision at every site."""
        return BitAllocation.uniform(self.sites(), FULL_PRECISION)


def _bits(buffers: Iterable[Buffer]) -> int:
    return 8 * sum(buffer.num_bytes for buffer in buffers)
