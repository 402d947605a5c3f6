"""A packed model and what one asks of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sgq_auto.packed.allocation import (
    EDGE_WEIGHTS,
    FEATURES,
    BitAllocation,
    Component,
    Site,
)
from sgq_auto.packed.backends import Engine, fastest_engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights
from sgq_auto.packed.runtime.graphs.neighborhood import neighborhood
from sgq_auto.packed.runtime.graphs.other_graphs import coded_features
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph
from sgq_auto.packed.runtime.graphs.prediction_input import (
    Input,
    NewInput,
    StoredInput,
    check_features,
    check_nodes,
)
from sgq_auto.packed.runtime.graphs.snapshots import snapshot_blocks
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.program import Program
from sgq_auto.packed.runtime.program_execution import Parts, run_program
from sgq_auto.packed.runtime.target_units import TargetUnits
from sgq_auto.packed.sizes.footprint import Footprint, FootprintModel
from sgq_auto.packed.sizes.shape_specs import ModelSpec
from sgq_auto.task import Task

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A quantized model in packed codes: with its graph, or for other graphs and without any.

    Attributes:
        graph: The graph it was trained on; see :attr:`holds_graph`.
        features: That graph's node features.
        layers: Its layers, in the order in which they run.
        program: What happens between them.
        classes: Names of the classes, labels or numbers.
        skips: Ranges of its skip connections, by name.
        source: Where it came from: study, trial, seed, accuracies.
        engine: Does the arithmetic.
        task: What it predicts.
        target_units: What gives numbers the user's units, where outputs have others.
    """

    graph: PackedGraph
    features: PackedFeatures
    layers: tuple[PackedLayer, ...]
    program: Program
    classes: tuple[str, ...]
    skips: Mapping[str, Ranges] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    engine: Engine = field(default_factory=fastest_engine)
    task: Task = Task.NODE_CLASSIFICATION
    target_units: TargetUnits | None = None

    @property
    def holds_graph(self) -> bool:
        """Whether it has the edges of a graph. One for other graphs has an empty one.

        Sizes are then those of the largest graph that it was made for.
        """
        return self.graph.spec.holds_edges

    @property
    def holds_features(self) -> bool:
        """Whether it has that graph's features. They are given where they change."""
        return not self.graph.spec.inductive

    @property
    def num_nodes(self) -> int:
        """Nodes of its graph, or of the largest one that it was made for."""
        return self.graph.spec.num_nodes

    @property
    def parts(self) -> Parts:
        """What a forward pass needs of it besides the graph."""
        return Parts(self.program, {la.spec.name: la for la in self.layers}, self.skips)

    @property
    def footprints(self) -> FootprintModel:
        """Sizes of the model on its graph."""
        specs = tuple(layer.spec for layer in self.layers)
        return FootprintModel(ModelSpec(specs, self.program.flow()), self.graph.spec)

    @property
    def allocation(self) -> BitAllocation:
        """Bits of every site."""
        sites = _bucket_bits(FEATURES, Component.EMBEDDING, self.features.values.ranges.bits)
        if isinstance(self.graph.weights, PackedEdgeWeights):
            bits = self.graph.weights.ranges.bits
            sites += _bucket_bits(EDGE_WEIGHTS, Component.ATTENTION, bits)
        for layer in self.layers:
            sites += _bits(layer, reads_features=self.program.reads_features(layer.spec.name))
        for name, ranges in self.skips.items():
            per_graph = name in self.program.graph_buffers
            sites += _bucket_bits(name, Component.EMBEDDING, ranges.bits, per_graph=per_graph)
        return BitAllocation(sites)

    def footprint(self) -> Footprint:
        """What it takes in an artifact and while it predicts."""
        return self.footprints.packed(self.allocation)

    def predict(
        self,
        nodes: Sequence[int] | Array | None = None,
        *,
        x: Array | None = None,
        edge_index: Array | None = None,
        edge_weight: Array | None = None,
        edge_attr: Array | None = None,
        graph_of_node: Array | None = None,
        threads: int = 1,
    ) -> Logits:
        """What the model answers of nodes, or of graphs if it pools.

        Logits of classes or of several labels; or numbers in the user's units.

        Args:
            nodes: Which nodes, in this order; ``None`` for all. Only their neighbourhood is
                computed, unless it is much of the graph.
            x: ``[N, F]`` features of another graph's nodes, quantized by the ranges of this
                model; without ``edge_index`` they are those of the model's own graph, at another
                time, or ``[T, N, F]`` at many times. A model without a graph needs both.
            edge_index: ``[2, E]`` edges (source, target) of that graph.
            edge_weight: ``[E]`` their weights, quantized by the ranges of this model, if it reads
                weights; those of repeated edges are summed.
            edge_attr: ``[E, columns]`` their features, in the same way, if it reads features.
            graph_of_node: ``int [N]``, for a model that pools: the number of the graph that each
                node belongs to, from 0 on; ``None`` for one graph. A graph without nodes pools
                zeros.
            threads: Threads that compute chunks of rows.

        Returns:
            fp32 ``[n, classes]``, or as many columns as there are labels or numbers;
            ``[graphs, ...]`` of a model that pools; ``[T, n, ...]`` of features at many times.

        Raises:
            ValueError: If a node is unknown, the features have another width, an edge leads to a
                node that is not there or in another graph, weights are missing or cannot be, or
                nodes are asked of a model that pools.
        """
        if threads < 1:
            raise ValueError(f"threads={threads}: it must be at least 1")
        if nodes is not None and self.program.predicts_graphs:
            raise ValueError("this model predicts whole graphs: leave out nodes")
        if x is not None and edge_index is None and np.ndim(x) == 3 and self.holds_graph:
            return self._snapshots(np.asarray(x), nodes, threads)
        given = self._given(x, edge_index, edge_weight, edge_attr, graph_of_node)
        if nodes is None:
            return self._run(given.graph, given.features(None), threads)
        wanted = check_nodes(np.asarray(nodes), given.graph.spec.num_nodes)
        if wanted.size == 0:
            return np.empty((0, len(self.classes)), dtype=np.float32)
        if self.program.needs_all_nodes:
            return self._run(given.graph, given.features(None), threads)[wanted]
        hops = sum(layer.spec.hops for layer in self.layers)
        width = sum(la.spec.transformed_features or la.out_features for la in self.layers)
        rows = given.graph.rows_of(wanted)
        part = neighborhood(given.graph, rows, hops, width, self.engine)
        graph, places = (given.graph, wanted) if part is None else (part.graph, part.places)
        return self._run(graph, given.features(part), threads)[places]

    def _run(self, graph: PackedGraph, features: PackedFeatures, threads: int) -> Logits:
        outputs = run_program(self.parts, Inference(graph, features, self.engine, threads))
        return outputs if self.target_units is None else self.target_units.of(outputs)

    def _given(
        self,
        x: Array | None,
        edge_index: Array | None,
        edge_weight: Array | None,
        edge_attr: Array | None = None,
        graph_of_node: Array | None = None,
    ) -> Input:
        if edge_index is None:
            for name, values in (("edge_weight", edge_weight), ("edge_attr", edge_attr)):
                if values is not None:
                    raise ValueError(f"{name} is for a new graph: give x and edge_index too")
            if graph_of_node is not None:
                raise ValueError("graph_of_node is for new graphs: give x and edge_index too")
            return self._own(x)
        if x is None:
            raise ValueError("a new graph is given by x and edge_index together")
        arrays = np.asarray(x), np.asarray(edge_index)
        new = NewInput.of(*arrays, self.graph.split_points, self.features)
        if graph_of_node is not None:
            if not self.program.predicts_graphs:
                raise ValueError("this model predicts nodes: leave out graph_of_node")
            new = new.in_graphs(arrays[1], np.asarray(graph_of_node))
        roots = any(la.spec.edge_weights and la.spec.attention_from_degrees for la in self.layers)
        weights = self.graph.weights
        assert weights is None or isinstance(weights, PackedEdgeWeights)
        given = arrays[1], edge_weight, weights
        weighted = new.weighted(*given, from_zero=roots, edge_attr=edge_attr)
        return weighted if self.holds_features else weighted.coded(weights, self.engine)

    def _snapshots(self, x: Array, nodes: Sequence[int] | Array | None, threads: int) -> Logits:
        """Features of the model's own graph at many times, some times together."""
        by_graph = self.program.predicts_graphs
        if by_graph or self.program.needs_all_nodes:  # A norm would take in other times.
            single = [self.predict(x=each, threads=threads) for each in x]
        else:
            blocks = snapshot_blocks(x, self.graph, self.features)
            single = [self._run(each.graph, each.features(None), threads) for each in blocks]
        found = np.concatenate([np.empty((0, len(self.classes)), np.float32), *single])
        rows = 1 if by_graph else self.num_nodes
        found = found.reshape(len(x), rows, len(self.classes))
        return found if nodes is None else found[:, check_nodes(np.asarray(nodes), self.num_nodes)]

    def _own(self, x: Array | None) -> StoredInput:
        """The model's own graph, with its features or with others."""
        if not self.holds_graph:
            raise ValueError("this model holds no graph: give x and edge_index")
        held = self.features
        if x is not None:
            given = check_features(np.asarray(x), held.spec.num_features, self.num_nodes)
            held = coded_features(given, self.graph, held)
        elif not self.holds_features:
            raise ValueError("this model holds no features: give x")
        return StoredInput(self.graph, held, self.engine)


def _bits(layer: PackedLayer, *, reads_features: bool) -> list[tuple[Site, int]]:
    """The bits of a layer's own sites, in the order of its specification."""
    sites = []
    per_graph = layer.spec.per_graph
    for component, bits in layer.bucket_bits(reads_features=reads_features).items():
        sites += _bucket_bits(layer.spec.name, component, bits, per_graph=per_graph)
    if layer.weight_bits is not None:
        sites.append((Site(layer.spec.name, Component.WEIGHT), layer.weight_bits))
    return sites


def _bucket_bits(
    layer: str, component: Component, bits: Sequence[int], *, per_graph: bool = False
) -> list[tuple[Site, int]]:
    """Bits of each degree bucket; or the only ones, of what has a row a graph."""
    if per_graph:
        return [(Site(layer, component), bits[0])]
    return [(Site(layer, component, bucket), width) for bucket, width in enumerate(bits)]
