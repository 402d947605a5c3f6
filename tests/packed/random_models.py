"""Valid packed models of any shape, made without training: what engines are compared on.

Everything that an artifact may say is drawn: kinds of layers, widths, heads, ladders with 32,
buckets that are empty or hold one node, graphs without an edge and with all, any features.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from random_programs import RandomProgram

from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.features import PackedFeatures, code_pattern
from sgq_auto.packed.runtime.graph import PackedGraph, bucket_sums, graph_of
from sgq_auto.packed.runtime.layers.attention_based.agnn import AgnnLayer, agnn_spec
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer, gat_spec
from sgq_auto.packed.runtime.layers.gcn import GcnLayer, gcn_spec
from sgq_auto.packed.runtime.layers.gin import GinLayer, gin_spec
from sgq_auto.packed.runtime.layers.graph_conv import GraphConvLayer
from sgq_auto.packed.runtime.layers.kinds import KINDS
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.layers.linear import LinearLayer, linear_spec
from sgq_auto.packed.runtime.layers.neighbors import Aggregation, NeighborLayer, neighbor_spec
from sgq_auto.packed.runtime.program import Program
from sgq_auto.packed.sizes.specs import FeatureSpec

_CODED = (*range(1, 17),)
_LADDERS = ((1, 2, 3, 4, 6, 8), _CODED, (*_CODED, 32), (1, 8, 32), (32,), (9, 13, 16, 32))
_LARGEST_WIDTH = 40


@dataclass(frozen=True)
class RandomModels:
    """Draws packed models.

    Attributes:
        random: Where chance comes from.
        spread: Powers of ten that ranges and parameters reach to either side of 1.
        most_nodes: What numbers of nodes lie below, one of them.
    """

    random: np.random.Generator
    spread: float = 0.0
    most_nodes: tuple[int, ...] = (4, 10, 40, 40, 150)

    def model(self) -> PackedModel:
        """A model on a graph of its own."""
        graph = self._graph()
        ladder = self._one_of(_LADDERS)
        bits = self._bucket_bits(graph, ladder)
        features, inputs = self._features(graph, bits)
        graph = replace(graph, spec=replace(graph.spec, features=features.spec))
        layers: list[PackedLayer] = []
        width = features.spec.num_features
        count, has_program = self._integer(1, 4), self._chance(0.6)
        drawn = RandomProgram(self.random, self.spread, width)
        if has_program and self._chance(0.2):
            bits = self._bucket_bits(graph, ladder)
            width = drawn.add(None, width, "layer0", self._ranges(bits))
        for position in range(count):
            reads_features = not position and not drawn.stages
            kinds = [k for k in KINDS.values() if not reads_features or not k.feature_fault]
            own = inputs
            if not reads_features:
                own = self._ranges(self._bucket_bits(graph, ladder))
            kind = self._one_of(kinds)
            # Node features have bits of their own.
            embedding = self._bucket_bits(graph, ladder) if reads_features else own.bits
            shared = graph, ladder, embedding
            layers.append(self._layer(kind, f"layer{position}", width, own, *shared))
            width = layers[-1].out_features
            if has_program:
                following = f"layer{position + 1}" if position + 1 < count else None
                skip = self._ranges(self._bucket_bits(graph, ladder))
                width = drawn.add(layers[-1].spec.name, width, following, skip)
        classes = tuple(f"class{k}" for k in range(width))
        program = Program.chain([layer.spec.name for layer in layers])
        if has_program:
            program = drawn.program()
        skips = {name: ranges for name, (_, ranges) in drawn.skips.items()}
        return PackedModel(graph, features, tuple(layers), program, classes, skips)

    def nodes(self, model: PackedModel) -> np.ndarray:
        """Some nodes of a model's graph, in any order, repeats among them."""
        return self.random.integers(0, model.num_nodes, self._integer(1, 6))

    def _graph(self) -> PackedGraph:
        nodes = self._integer(1, self._one_of(self.most_nodes))
        density = self._one_of((0.0, *(0.05, 0.1, 0.3) * 4, 1.0))
        pattern = self.random.random((nodes, nodes)) < density
        if self._chance(0.2):  # A star.
            pattern[:, 0] = pattern[0] = True
        symmetric = self._chance(0.5)
        pattern = pattern | pattern.T if symmetric else pattern
        np.fill_diagonal(pattern, False)
        num_buckets = self._integer(1, 6)
        weights = self.random.random(num_buckets) ** 4 * (self.random.random(num_buckets) < 0.7)
        weights[self._integer(0, num_buckets)] += 1e-3
        buckets = self.random.choice(num_buckets, nodes, p=weights / weights.sum())
        points = np.sort(self.random.choice(50, num_buckets - 1, replace=False))
        degrees = pattern.sum(axis=1)
        graph = graph_of(np.flatnonzero(pattern), buckets, degrees, tuple(map(int, points)), nodes)
        return replace(graph, spec=replace(graph.spec, symmetric=symmetric))

    def _features(self, graph: PackedGraph, bits: tuple[int, ...]) -> tuple[PackedFeatures, Ranges]:
        nodes, width = graph.spec.bucket_nodes, self._width(90)
        x = self.random.normal(size=(graph.spec.num_nodes, width)).astype(np.float32)
        match self._integer(0, 4):
            case 0:
                x = np.ones_like(x)
            case 1:
                x[:] = x[:1, :1] + 1e-3
            case 2:  # Columns of equal values.
                x[:] = x[:1]
        dense = self._chance(0.5)
        stored = np.ones(x.shape, dtype=bool)
        if not dense:
            stored = self.random.random(x.shape) < self._one_of((0.0, 0.02, 0.3, 0.7))
        per_row = stored.sum(axis=1)
        counts = bucket_sums(per_row, nodes)
        spec = FeatureSpec(width, dense, counts, (False,) * len(nodes))
        rows = nodes if dense else counts
        values = x if dense else x[stored][:, None]
        codes, constant, steps, offsets = [], [], [], []
        for width_bits, part in zip(bits, np.split(values, np.cumsum(rows)[:-1]), strict=True):
            constant.append(part.size == 0 or bool(part.min() == part.max()))
            low, high = (0.0, 1.0) if part.size == 0 else (float(part.min()), float(part.max()))
            step = (high - low) / (2**width_bits - 1) if high > low else 1.0
            ranges = Ranges((width_bits,), *(np.array([v], np.float32) for v in (step, low)))
            is_coded = width_bits != 32
            codes.append(ranges.codes(part.astype(np.float64), 0) if is_coded else part)
            steps.append(step if is_coded else 1.0)
            offsets.append(low if is_coded else 0.0)
        inputs = Ranges(bits, np.array(steps, np.float32), np.array(offsets, np.float32))
        held = tuple(0 if c and b != 32 else b for c, b in zip(constant, bits, strict=True))
        matrix = pack_matrix(np.concatenate(codes), rows, held, inputs)
        pattern = None
        if not dense:
            pattern = code_pattern(np.flatnonzero(stored), per_row, spec, nodes)
        spec = replace(spec, bucket_constant=tuple(constant))
        return PackedFeatures(spec, pattern, matrix, self._chance(0.3)), inputs

    def _layer(
        self,
        kind: type[PackedLayer],
        name: str,
        width: int,
        inputs: Ranges,
        graph: PackedGraph,
        ladder: tuple[int, ...],
        embedding: tuple[int, ...],
    ) -> PackedLayer:
        out, has_bias = self._width(_LARGEST_WIDTH), self._chance(0.5)
        heads, concat = self._integer(1, 10), self._chance(0.5)
        common: dict[str, Any] = {
            "inputs": inputs,
        }
        if kind is AgnnLayer:
            learns = self._chance(0.5)
            beta = float(np.float32(self.random.normal())) if learns else 1.0
            attention = self._attention(graph, ladder)
            spec = agnn_spec(name, width, learns_beta=learns)
            return AgnnLayer(**common, spec=spec, attention=attention, beta=beta)
        rows = out * heads if kind is GatLayer else out
        given = heads * out if kind is GatLayer and concat else out
        common["bias"] = self._vector(given) if has_bias else None
        weight_bits = self._one_of(ladder)
        common["weight"] = self._weight(width, rows, weight_bits)
        if kind is LinearLayer:
            return LinearLayer(**common, spec=linear_spec(name, width, out, bias=has_bias))
        common["transformed"] = self._ranges(embedding)
        if issubclass(kind, NeighborLayer):
            has_root = kind is GraphConvLayer or self._chance(0.5)
            root = self._weight(width, rows, weight_bits) if has_root else None
            spec = neighbor_spec(name, width, out, root_weight=has_root, bias=has_bias)
            aggregation = self._one_of(tuple(Aggregation))
            return kind(**common, spec=spec, aggregation=aggregation, root=root)
        if kind is GinLayer:
            spec = gin_spec(name, width, out, bias=has_bias)
            return GinLayer(**common, spec=spec, eps=float(self._vector(1)[0]))
        common["attention"] = self._attention(graph, ladder)
        if kind is GcnLayer:
            return GcnLayer(**common, spec=gcn_spec(name, width, out, bias=has_bias))
        spec = gat_spec(name, width, out, heads, concat=concat, bias=has_bias)
        vectors = [self._vector(rows).reshape(heads, out) for _ in range(2)]
        slope = float(self._one_of((0.0, 0.2, 1.0, -0.5)))
        return GatLayer(
            **common,
            spec=spec,
            source_vectors=vectors[0],
            target_vectors=vectors[1],
            negative_slope=slope,
            concat=concat,
        )

    def _weight(self, rows: int, columns: int, bits: int) -> PackedWeight:
        if bits == 32:
            codes = self._vector(rows * columns).reshape(rows, columns)
            channels = Ranges.full_precision(columns)
        else:
            codes = self.random.integers(0, 2**bits, (rows, columns))
            if self._chance(0.2):  # Columns of equal codes.
                codes[:] = codes[:, :1]
            channels = self._ranges((bits,) * columns)
        plain = Ranges((bits,), np.ones(1, np.float32), np.zeros(1, np.float32))
        return PackedWeight(pack_matrix(codes, (rows,), (bits,), plain), channels)

    def _ranges(self, bits: tuple[int, ...]) -> Ranges:
        """Ranges of a few units around 0."""
        span = self.random.uniform(0.5, 4, len(bits)) * self._scales(len(bits))
        offset = -span * self.random.uniform(0, 1, len(bits))
        return _only_coded(bits, span / (2.0 ** np.array(bits) - 1), offset)

    def _attention(self, graph: PackedGraph, ladder: tuple[int, ...]) -> Ranges:
        bits = self._bucket_bits(graph, ladder)
        top = self.random.uniform(0.2, 1.2, len(bits))
        offset = self.random.uniform(-0.1, 0.1, len(bits)) * (self.random.random(len(bits)) < 0.5)
        return _only_coded(bits, top / (2.0 ** np.array(bits) - 1), offset)

    def _bucket_bits(self, graph: PackedGraph, ladder: tuple[int, ...]) -> tuple[int, ...]:
        if self._chance(0.2):
            return (self._one_of(ladder),) * graph.spec.num_buckets
        return tuple(self._one_of(ladder) for _ in graph.spec.bucket_nodes)

    def _vector(self, size: int) -> np.ndarray:
        return (self.random.normal(size=size) * self._scales(size)).astype(np.float32)

    def _scales(self, count: int) -> np.ndarray:
        return 10.0 ** self.random.uniform(-self.spread, self.spread, count)

    def _width(self, largest: int) -> int:
        """Small widths, multiples of eight and their neighbours more often than others."""
        if self._chance(0.3):
            around = 8 * self._integer(1, largest // 8 + 1) + self._integer(-1, 2)
            return min(largest, around)
        return self._integer(1, largest + 1)

    def _integer(self, least: int, end: int) -> int:
        return int(self.random.integers(least, max(end, least + 1)))

    def _chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def _one_of(self, choices: Any) -> Any:
        return choices[self._integer(0, len(choices))]


def _only_coded(bits: tuple[int, ...], step: np.ndarray, offset: np.ndarray) -> Ranges:
    """Ranges whose groups of fp32 values have none."""
    full = np.array(bits) == 32
    step, offset = np.where(full, 1.0, step), np.where(full, 0.0, offset)
    return Ranges(bits, step.astype(np.float32), offset.astype(np.float32))
