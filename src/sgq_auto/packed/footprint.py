"""The four memory figures of a quantized model on a graph: the one authority on sizes.

- ``resident_bytes``: every buffer that one inference over the whole graph holds, each once.
- ``stored_bytes``: the same without activations; the artifact's payload on disk.
- ``peak_bytes``: the most that is held at one moment, each buffer freed after its last use.
- ``sgquant_bytes``: elements times bits, as the SGQuant authors count (arXiv 2007.05100).

The caller's output (the logits) and per-chunk scratch of bounded size are counted on no side.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from sgq_auto.allocation import FEATURES, FULL_PRECISION, BitAllocation, Component, Site
from sgq_auto.packed.specs import GraphSpec, LayerSpec, ModelSpec
from sgq_auto.packed.storage import PackedStorage, PygStorage, SparseFp32Storage, TensorStorage


class Part(StrEnum):
    """What a buffer is for."""

    FEATURES = "features"
    GRAPH = "graph"
    WEIGHTS = "weights"
    SCALES = "scales"
    EMBEDDING = "embedding"
    ATTENTION = "attention"


@dataclass(frozen=True)
class Buffer:
    """One tensor of an inference: its bytes and the first and last step that need it.

    Layer ``k`` transforms its input in step ``2k`` and passes messages in step ``2k + 1``.
    Stored buffers are there from step 0; ``stored_bytes`` is what they take in an artifact.
    """

    name: str
    part: Part
    num_bytes: int
    first: int
    last: int
    stored_bytes: int = 0


class Objective(StrEnum):
    """The figure that a search minimises."""

    RESIDENT_BYTES = "resident_bytes"
    STORED_BYTES = "stored_bytes"
    PEAK_BYTES = "peak_bytes"
    SGQUANT_BYTES = "sgquant_bytes"


@dataclass(frozen=True)
class Footprint:
    """Bytes of one allocation (or of a reference) on one graph."""

    resident_bytes: int
    stored_bytes: int
    peak_bytes: int
    sgquant_bytes: int

    def as_dict(self) -> dict[str, int]:
        """The four figures by name."""
        return asdict(self)

    def figure(self, objective: Objective) -> int:
        """The figure that ``objective`` names."""
        return self.as_dict()[objective.value]


@dataclass(frozen=True)
class FootprintModel:
    """Computes footprints of one model on one graph."""

    model: ModelSpec
    graph: GraphSpec

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
        """The footprint of the same model in PyG, fp32."""
        return self._measure(PygStorage(self.graph), self._all_full())

    def sparse_fp32(self) -> Footprint:
        """The footprint of the same model in fp32 with sparse features and int32 CSR."""
        return self._measure(SparseFp32Storage(self.graph), self._all_full())

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

    def buffers(self, storage: TensorStorage) -> list[Buffer]:
        """Every buffer of one inference, layer by layer."""
        layers, flow = self.model.layers, self.model.dataflow
        last_step = 2 * len(layers) - 1
        propagating = [k for k, layer in enumerate(layers) if layer.propagates]
        graph_last = 2 * propagating[-1] + 1 if propagating else 0
        from_degrees = [k for k, layer in enumerate(layers) if layer.attention_from_degrees]
        degrees, bucket_map = storage.degrees() if from_degrees else 0, storage.bucket_map()
        buffers = [
            Buffer("edges", Part.GRAPH, storage.graph(), 0, graph_last, storage.stored_graph()),
            Buffer("edge_index", Part.GRAPH, storage.block_index(), 0, graph_last),
            Buffer("degrees", Part.GRAPH, degrees, 0, graph_last),
            Buffer("bucket_map", Part.GRAPH, bucket_map, 0, last_step, bucket_map),
            *self._feature_buffers(storage),
            _stored("outside.vectors", Part.WEIGHTS, 4 * flow.vector_elements, last_step),
        ]
        for k, layer in enumerate(layers):
            first = k == (from_degrees[0] if from_degrees else 0)
            buffers += self._layer_buffers(storage, k, layer, first_attention=first)
        for k, tensor in enumerate(flow.carried):
            first_step, last = self._last_step(tensor.made - 1), self._last_step(tensor.read - 1)
            size = storage.carried(tensor)
            buffers.append(Buffer(f"carried.{k}", Part.EMBEDDING, size, first_step, last))
        return [buffer for buffer in buffers if buffer.num_bytes]

    def additive_bits(self, allocation: BitAllocation, objective: Objective) -> tuple[int, ...]:
        """Terms in bits, each a sum over sites; the largest, in whole bytes, is the figure.

        A figure of many allocations can so be had from what each site adds to each term.
        """
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
        hidden = [(layer, width) for layer, width in hidden if width]
        if not hidden:
            return 0.0
        held = storage.bucket_map() + sum(
            storage.embedding(layer, width) + storage.embedding_scales(layer.name)
            for layer, width in hidden
        )
        return 8 * held / (self.graph.num_nodes * sum(width for _, width in hidden))

    def sgquant_elements(self) -> dict[str, int]:
        """Elements per layer in the accounting of the SGQuant authors."""
        totals = {layer.name: 0 for layer in self.model.layers}
        for layer, _, count in self._sgquant_elements():
            totals[layer] += count
        return totals

    def _measure(self, storage: TensorStorage, allocation: BitAllocation) -> Footprint:
        terms = self._terms(storage, allocation)
        return Footprint(**{kind.value: -(-max(bits) // 8) for kind, bits in terms.items()})

    def _terms(
        self, storage: TensorStorage, allocation: BitAllocation
    ) -> dict[Objective, tuple[int, ...]]:
        buffers = self.buffers(storage)
        steps = range(2 * len(self.model.layers))
        counted = sum(n * allocation[site] for _, site, n in self._sgquant_elements())
        return {
            Objective.RESIDENT_BYTES: (_bits(buffers),),
            Objective.STORED_BYTES: (8 * sum(b.stored_bytes for b in buffers),),
            Objective.PEAK_BYTES: tuple(
                _bits(b for b in buffers if b.first <= step <= b.last) for step in steps
            ),
            Objective.SGQUANT_BYTES: (counted,),
        }

    def _layer_buffers(
        self, storage: TensorStorage, k: int, layer: LayerSpec, *, first_attention: bool
    ) -> Iterator[Buffer]:
        transform, propagate = 2 * k, 2 * k + 1
        last, made = self._last_step(k), self.model.dataflow.inputs[k]
        weight_last = last if layer.keeps_input else transform
        ran_before = any(other.name == layer.name for other in self.model.layers[:k])
        # A layer that runs again has new activations and no more weights.
        name = f"{layer.name}.{k}" if ran_before else layer.name
        if made is not None:
            size = storage.input(layer, shared=k in self.model.dataflow.shared)
            first = self._last_step(made - 1)
            yield Buffer(f"{name}.input", Part.EMBEDDING, size, first, self._input_last(k))
        if not ran_before:
            scales = storage.scales(layer, reads_features=made is None)
            # Two matrices of one shape; a node's own is needed when what it gathers is there.
            root = storage.weight(layer) // 2 if layer.root_weight else 0
            weight = storage.weight(layer) - root
            yield _stored(f"{name}.weight", Part.WEIGHTS, weight, weight_last)
            yield _stored(f"{name}.root_weight", Part.WEIGHTS, root, last)
            yield _stored(f"{name}.vectors", Part.WEIGHTS, 4 * layer.vector_elements, last)
            yield _stored(f"{name}.scales", Part.SCALES, scales, last)
        if layer.transformed_features:
            size = storage.embedding(layer, layer.transformed_features)
            yield Buffer(f"{name}.transformed", Part.EMBEDDING, size, transform, last)
        if layer.further_hops:
            size = layer.further_hops * storage.embedding(layer, layer.gathered_features)
            yield Buffer(f"{name}.hops", Part.EMBEDDING, size, propagate, propagate)
        if layer.heads:
            size = storage.attention(layer, first=first_attention)
            yield Buffer(f"{name}.attention", Part.ATTENTION, size, propagate, propagate)

    def _feature_buffers(self, storage: TensorStorage) -> Iterator[Buffer]:
        """The node features, which are needed until the last layer that reads them has."""
        flow = self.model.dataflow
        reads = [self._input_last(k) for k, made in enumerate(flow.inputs) if made is None]
        last = max([*reads, self._last_step((flow.feature_reads or 0) - 1)])
        yield _stored("features", Part.FEATURES, storage.features(), last)
        index = 0 if self.graph.features.dense else storage.block_index()
        yield Buffer("feature_index", Part.FEATURES, index, 0, last)

    def _last_step(self, k: int) -> int:
        """The last step of layer ``k``; step 0 for what is there before the first layer."""
        if k < 0:
            return 0
        return 2 * k + 1 if self.model.layers[k].propagates else 2 * k

    def _input_last(self, k: int) -> int:
        """The input is needed until it is transformed, or gathered where there is no transform."""
        layer = self.model.layers[k]
        again = layer.keeps_input or layer.root_weight
        transformed = layer.weight_shape is not None and not again
        return 2 * k if transformed else self._last_step(k)

    def _parts(self, storage: TensorStorage, figure: str) -> dict[str, int]:
        parts = dict.fromkeys(Part, 0)
        for buffer in self.buffers(storage):
            parts[buffer.part] += getattr(buffer, figure)
        return {part.value: num_bytes for part, num_bytes in parts.items()}

    def _elements(self) -> Iterator[tuple[Site, int]]:
        graph = self.graph
        for layer, made in zip(self.model.layers, self.model.dataflow.inputs, strict=True):
            hops = layer.further_hops * layer.gathered_features
            edges = graph.gathered_edges(layer)
            for bucket, nodes in enumerate(graph.bucket_nodes):
                own = Site(layer.name, Component.EMBEDDING, bucket)
                source = Site(FEATURES, Component.EMBEDDING, bucket) if made is None else own
                yield source, nodes * layer.in_features
                if layer.transformed_features or hops:
                    yield own, nodes * (layer.transformed_features + hops)
                if layer.heads:
                    site = Site(layer.name, Component.ATTENTION, bucket)
                    yield site, edges[bucket] * layer.heads
            for rows, columns in layer.weight_shapes:
                yield Site(layer.name, Component.WEIGHT), rows * columns

    def _sgquant_elements(self) -> Iterator[tuple[str, Site, int]]:
        """Layer, site and elements of every tensor that the SGQuant authors count."""
        graph, inputs = self.graph, self.model.dataflow.inputs
        for position, layer in enumerate(self.model.layers):
            out = sum(rows for rows, _ in layer.weight_shapes) or layer.normalized_features
            source = FEATURES if inputs[position] is None else layer.name
            own, into = self._output_layer(position), graph.gathered_edges(layer)
            for bucket, nodes in enumerate(graph.bucket_nodes):
                loops = 0 if layer.gathers_itself else nodes
                copies = layer.source_copies * (graph.bucket_out_edges[bucket] - loops)
                copies += layer.target_copies * into[bucket]
                copies *= layer.gathered_features * (1 + layer.further_hops)
                features = Site(source, Component.EMBEDDING, bucket)
                yield layer.name, features, nodes * layer.in_features
                yield layer.name, Site(own, Component.EMBEDDING, bucket), nodes * out + copies
                if layer.heads:
                    attention = into[bucket] * layer.heads * layer.attention_copies
                    yield layer.name, Site(layer.name, Component.ATTENTION, bucket), attention

    def _output_layer(self, position: int) -> str:
        """The layer whose embedding bits the output of the layer at ``position`` has.

        A linear layer that reads the features has no embedding of its own: its output is coded
        as the input of a layer that follows.
        """
        inputs = self.model.dataflow.inputs
        for layer, made in list(zip(self.model.layers, inputs, strict=True))[position:]:
            if Component.EMBEDDING in layer.components(reads_features=made is None):
                return layer.name
        return FEATURES

    def _all_full(self) -> BitAllocation:
        return BitAllocation.uniform(self.sites(), FULL_PRECISION)


def _stored(name: str, part: Part, num_bytes: int, last: int) -> Buffer:
    """A buffer that is held as it is stored."""
    return Buffer(name, part, num_bytes, 0, last, num_bytes)


def _bits(buffers: Iterable[Buffer]) -> int:
    return 8 * sum(buffer.num_bytes for buffer in buffers)
