"""Valid packed models of any shape, made without training: what engines are compared on.

Everything that an artifact may say is drawn: kinds of layers, widths, heads, ladders with 32,
buckets that are empty or hold one node, graphs without an edge and with all, any features.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from random_programs import RandomProgram

from sgq_auto.packed import PackedModel
from sgq_auto.packed.allocation import Component
from sgq_auto.packed.codes.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures, code_pattern
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph, bucket_sums, graph_of
from sgq_auto.packed.runtime.layers.attention_based.agnn import AgnnLayer, agnn_spec
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer, gat_spec
from sgq_auto.packed.runtime.layers.attention_based.gatv2 import gatv2_spec
from sgq_auto.packed.runtime.layers.attention_based.multi_head import Heads, MultiHeadLayer
from sgq_auto.packed.runtime.layers.attention_based.transformer import (
    TransformerLayer,
    transformer_spec,
)
from sgq_auto.packed.runtime.layers.gathering import GatheringLayer, gathering_spec
from sgq_auto.packed.runtime.layers.gcn import GcnLayer, gcn_spec
from sgq_auto.packed.runtime.layers.gin import GinLayer, gin_spec
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer, gin_sum_spec
from sgq_auto.packed.runtime.layers.gine_sum import GineSumLayer
from sgq_auto.packed.runtime.layers.graph_conv import GraphConvLayer
from sgq_auto.packed.runtime.layers.layer import LayerParts, PackedLayer
from sgq_auto.packed.runtime.layers.layer_kinds import KINDS
from sgq_auto.packed.runtime.layers.linear import LinearLayer, linear_spec
from sgq_auto.packed.runtime.layers.multi_hop.appnp import AppnpLayer, appnp_spec
from sgq_auto.packed.runtime.layers.multi_hop.gcn2 import Gcn2Layer, gcn2_spec
from sgq_auto.packed.runtime.layers.multi_hop.hops import HopLayer
from sgq_auto.packed.runtime.layers.multi_hop.sgc import SgcLayer, sgc_spec
from sgq_auto.packed.runtime.layers.multi_hop.tag import tag_spec
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation, NeighborLayer, neighbor_spec
from sgq_auto.packed.runtime.layers.pna import PnaLayer, Scaler, pna_spec
from sgq_auto.packed.runtime.layers.sage import SageLayer
from sgq_auto.packed.runtime.neighbor_reductions import Reduction
from sgq_auto.packed.runtime.program import Program
from sgq_auto.packed.sizes.shape_specs import FeatureSpec, LayerSpec

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
            kinds = [k for k in kinds if has_program or not k.further_inputs]
            # Such a layer needs features of edges: see featured_models.
            kinds = [k for k in kinds if k is not GineSumLayer]
            own = inputs
            if not reads_features:
                own = self._ranges(self._bucket_bits(graph, ladder))
            kind = self._one_of(kinds)
            # Node features have bits of their own.
            embedding = self._bucket_bits(graph, ladder) if reads_features else own.bits
            shared = graph, ladder, embedding
            layers.append(self._layer(kind, f"layer{position}", width, own, *shared))
            further = drawn.further(kind.further_inputs, width)
            width = layers[-1].out_features
            if has_program:
                following = f"layer{position + 1}" if position + 1 < count else None
                skip = self._ranges(self._bucket_bits(graph, ladder))
                width = drawn.add(layers[-1].spec.name, width, following, skip, further)
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
        common: dict[str, Any] = {
            "inputs": inputs,
        }
        if kind is AgnnLayer:
            learns = self._chance(0.5)
            beta = float(np.float32(self.random.normal())) if learns else 1.0
            attention = self._attention(graph, ladder)
            spec = agnn_spec(name, width, learns_beta=learns)
            return AgnnLayer(**common, spec=spec, attention=attention, beta=beta)
        if kind is GinSumLayer:
            eps = float(self._vector(1)[0])
            return GinSumLayer(**common, spec=gin_sum_spec(name, width), eps=eps)
        if kind is GatheringLayer:
            return self._gathering(name, (width, out), self._one_of(ladder), embedding, common)
        if issubclass(kind, HopLayer | Gcn2Layer):
            return self._multi_hop(kind, name, (width, out), graph, ladder, embedding, common)
        if kind is PnaLayer:
            return self._pna(name, (width, out), self._one_of(ladder), embedding, common)
        if issubclass(kind, MultiHeadLayer):
            heads = Heads(self._integer(1, 10), out, self._chance(0.5))
            return self._multi_head(kind, name, width, heads, graph, ladder, embedding, common)
        common["bias"] = self._vector(out) if has_bias else None
        weight_bits = self._one_of(ladder)
        common["weight"] = self._weight(width, out, weight_bits)
        if kind is LinearLayer:
            return LinearLayer(**common, spec=linear_spec(name, width, out, bias=has_bias))
        common["transformed"] = self._ranges(embedding)
        if issubclass(kind, NeighborLayer):
            has_root = kind is GraphConvLayer or self._chance(0.5)
            root = self._weight(width, out, weight_bits) if has_root else None
            spec = neighbor_spec(name, width, out, root_weight=has_root, bias=has_bias)
            own = {"aggregation": self._one_of(tuple(Aggregation)), "root": root}
            own |= {"normalize": self._chance(0.3)} if kind is SageLayer else {}
            return kind(**common, spec=spec, **own)
        if kind is GinLayer:
            spec = gin_spec(name, width, out, bias=has_bias)
            return GinLayer(**common, spec=spec, eps=float(self._vector(1)[0]))
        common["attention"] = self._attention(graph, ladder)
        return GcnLayer(**common, spec=gcn_spec(name, width, out, bias=has_bias))

    def _gathering(
        self,
        name: str,
        widths: tuple[int, int],
        bits: int,
        embedding: tuple[int, ...],
        common: dict[str, Any],
    ) -> PackedLayer:
        listed = [r for r in Reduction if self._chance(0.3)] or [self._one_of(tuple(Reduction))]
        root, project, bias = (self._chance(0.5) for _ in range(3))
        own = {"root_weight": root, "project": project, "bias": bias}
        spec = gathering_spec(name, *widths, reductions=len(listed), **own)
        vectors = {"bias": self._vector(widths[1])} if bias else {}
        settings = {"reductions": tuple(listed), "normalize": self._chance(0.3)}
        return self._of(
            GatheringLayer, spec, bits, vectors, embedding, common | {"settings": settings}
        )

    def _multi_hop(
        self,
        kind: type[PackedLayer],
        name: str,
        widths: tuple[int, int],
        graph: PackedGraph,
        ladder: tuple[int, ...],
        embedding: tuple[int, ...],
        common: dict[str, Any],
    ) -> PackedLayer:
        hops, bias = self._integer(1, 5), self._chance(0.5)
        settings: dict[str, Any] = {}
        if kind is Gcn2Layer:
            own = {"initial_weight": self._chance(0.5), "normalize": self._chance(0.7)}
            spec = gcn2_spec(name, widths[0], **own)
            settings = {"alpha": self._share(), "beta": self._share()}
        elif kind is AppnpLayer:
            spec, settings = appnp_spec(name, widths[0], hops=hops), {"alpha": self._share()}
        else:
            sizes = sgc_spec if kind is SgcLayer else tag_spec
            spec = sizes(name, *widths, hops=hops, bias=bias)
        vectors = {"bias": self._vector(widths[1])} if spec.vector_elements else {}
        common |= {
            "settings": settings,
            "made": {Component.ATTENTION: self._attention(graph, ladder)} if spec.heads else {},
            "hops": tuple(self._ranges(embedding) for _ in range(spec.further_hops)),
        }
        return self._of(kind, spec, self._one_of(ladder), vectors, embedding, common)

    def _share(self) -> float:
        return float(self._one_of((0.0, 1.0, self.random.uniform(0, 1), self.random.normal())))

    def _pna(
        self,
        name: str,
        widths: tuple[int, int],
        bits: int,
        embedding: tuple[int, ...],
        common: dict[str, Any],
    ) -> PackedLayer:
        listed = [r for r in Reduction if self._chance(0.4)] or [Reduction.STD]
        scalers = [s for s in Scaler if self._chance(0.4)] or [Scaler.LINEAR]
        counts = {"channels": self._width(20), "reductions": len(listed) * len(scalers)}
        averages = np.abs(self._vector(2)) + np.float32(0.1)
        vectors = {"bias": self._vector(widths[1]), "degree_averages": averages}
        settings = {"reductions": tuple(listed), "scalers": tuple(scalers)}
        common = common | {"settings": settings}
        return self._of(
            PnaLayer, pna_spec(name, *widths, **counts), bits, vectors, embedding, common
        )

    def _of(
        self,
        kind: type[PackedLayer],
        spec: LayerSpec,
        bits: int,
        vectors: dict[str, np.ndarray],
        embedding: tuple[int, ...],
        common: dict[str, Any],
    ) -> PackedLayer:
        """A layer with the weights and the vectors that its sizes speak of."""
        shapes = kind.weight_shapes(spec)
        weights = {k: self._weight(columns, rows, bits) for k, (rows, columns) in shapes.items()}
        own = {k: self._vector(prod(s)).reshape(s) for k, s in kind.vector_shapes(spec).items()}
        made = dict(common.pop("made", {}))
        if spec.transformed_features:
            made[Component.EMBEDDING] = self._ranges(embedding)
        return kind.of(
            LayerParts(spec, made=made, weights=weights, vectors=own | vectors, **common)
        )

    def _multi_head(
        self,
        kind: type[PackedLayer],
        name: str,
        width: int,
        heads: Heads,
        graph: PackedGraph,
        ladder: tuple[int, ...],
        embedding: tuple[int, ...],
        common: dict[str, Any],
    ) -> PackedLayer:
        one, two, three, four = (self._chance(0.5) for _ in range(4))
        sizes, both = (name, width, heads.channels, heads.heads), {"concat": heads.concat}
        if kind is TransformerLayer:
            spec = transformer_spec(*sizes, **both, bias=one, root_weight=two, gate=two and three)
        elif kind is GatLayer:
            spec = gat_spec(*sizes, **both, bias=one, residual=two, self_loops=three)
        else:
            own = {"made_bias": self._chance(0.5), "residual": two, "self_loops": three}
            spec = gatv2_spec(*sizes, **both, shared=four, bias=one, **own)
        bits = self._one_of(ladder)
        has_bias = one and kind is not TransformerLayer
        vectors = {"bias": self._vector(heads.out_features)} if has_bias else {}
        slope = {"negative_slope": float(self._one_of((0.0, 0.2, 1.0, -0.5)))}
        settings = both | ({} if kind is TransformerLayer else slope)
        made = {Component.ATTENTION: self._attention(graph, ladder)}
        common = common | {"settings": settings, "made": made}
        return self._of(kind, spec, bits, vectors, embedding, common)

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
