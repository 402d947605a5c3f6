"""What a model predicts on: its own graph, or one that is given with the call."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array, PackedIntegers
from sgq_auto.packed.runtime.graphs.edge_weights import ListedEdgeWeights, PackedEdgeWeights
from sgq_auto.packed.runtime.graphs.neighborhood import Neighborhood, pick_features
from sgq_auto.packed.runtime.graphs.new_weights import given_values, listed_weights
from sgq_auto.packed.runtime.graphs.other_graphs import coded_features, coded_graph
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures, pack_features
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph, edges_of, listed_graph


class Input(Protocol):
    """A graph, and the features of all or some of its nodes."""

    @property
    def graph(self) -> PackedGraph:
        """The whole graph."""

    def features(self, part: Neighborhood | None) -> PackedFeatures:
        """The features of a neighbourhood in this graph, or of all nodes."""


@dataclass(frozen=True, eq=False)
class StoredInput:
    """The graph that a model was trained on, or another one that is held as that is."""

    graph: PackedGraph
    held: PackedFeatures
    engine: Engine

    def features(self, part: Neighborhood | None) -> PackedFeatures:
        """Codes are not copied for a neighbourhood: its rows are picked where they lie."""
        return (
            self.held if part is None else pick_features(self.held, self.graph, part, self.engine)
        )


@dataclass(frozen=True, eq=False)
class NewInput:
    """A graph that is predicted once: not coded, its features quantized where they are needed.

    Attributes:
        graph: Its edges.
        x: ``[N, F]`` features, nodes in their own order.
        like: The features whose ranges these are quantized by.
    """

    graph: PackedGraph
    x: Array
    like: PackedFeatures

    @classmethod
    def of(
        cls, x: Array, edge_index: Array, split_points: tuple[int, ...], like: PackedFeatures
    ) -> "NewInput":
        """The graph of checked arrays.

        Raises:
            ValueError: If the arrays are no features and edges of one graph.
        """
        check_features(x, like.spec.num_features)
        _check_edges(edge_index)
        check_nodes(edge_index.ravel(), x.shape[0])
        positions, buckets, degrees = edges_of(edge_index, x.shape[0], split_points)
        nodes = np.bincount(buckets, minlength=len(split_points) + 1)
        graph = listed_graph(
            tuple(nodes.tolist()),
            degrees,
            (positions % x.shape[0]).astype(np.int32),
            degrees,
            split_points,
            buckets,
        )
        return cls(graph, x, like)

    def weighted(
        self,
        edge_index: Array,
        edge_weight: Array | None,
        like: PackedEdgeWeights | None,
        *,
        from_zero: bool,
        edge_attr: Array | None = None,
    ) -> "NewInput":
        """The same with weights of its edges, quantized as those of the model's own graph.

        Args:
            edge_index: The edges as they were given.
            edge_weight: ``[E]`` their weights.
            like: The weights of the model's graph; ``None`` where it reads none.
            from_zero: Whether a layer divides by roots of their sums.
            edge_attr: ``[E, columns]`` their features, in place of weights.

        Raises:
            ValueError: If weights are missing, not wanted, or cannot be.
        """
        given = given_values(edge_index, edge_weight, edge_attr, like, from_zero=from_zero)
        if given is None or like is None:
            return self
        values = listed_weights(edge_index, given, self.graph, like)
        return replace(self, graph=replace(self.graph, weights=ListedEdgeWeights(values)))

    def coded(self, weights: PackedEdgeWeights | None, engine: Engine) -> StoredInput:
        """The same as a model holds a graph of its own; see :mod:`.other_graphs`.

        Args:
            weights: The weights whose ranges those of its edges are quantized by, if it has some.
            engine: Decodes rows.
        """
        graph = coded_graph(self.graph, weights)
        return StoredInput(graph, coded_features(self.x, graph, self.like), engine)

    def in_graphs(self, edge_index: Array, graph_of_node: Array) -> "NewInput":
        """The same as the blocks of several graphs.

        Args:
            edge_index: The edges as they were given.
            graph_of_node: ``[N]``, the number of the graph that each node belongs to.

        Raises:
            ValueError: If these are no numbers of graphs, or an edge leads to another graph.
        """
        graphs = _check_graphs(graph_of_node, self.x.shape[0])
        source, target = graphs[edge_index.astype(np.int64)]
        if (source != target).any():
            edge = int(np.flatnonzero(source != target)[0])
            raise ValueError(
                f"edge {edge} leads from graph {source[edge]} to graph {target[edge]}; the nodes "
                "of an edge belong to one graph"
            )
        spec = replace(self.graph.spec, num_graphs=int(graphs.max()) + 1)
        packed = PackedIntegers.plain(graphs[self.graph.node_order()])
        return replace(self, graph=replace(self.graph, spec=spec, graph_map=packed))

    def features(self, part: Neighborhood | None) -> PackedFeatures:
        """Rows are quantized only now, by the stored ranges: those of a neighbourhood alone."""
        order, x, graph = self.graph.node_order(), self.x, self.graph
        if part is not None:
            graph, x = part.graph, x[order[part.rows]]
            order = np.arange(part.rows.size)
        return pack_features(x, order, graph.spec.bucket_nodes, self.like)


def check_nodes(nodes: Array, num_nodes: int) -> Array:
    """Node numbers as ``int64``.

    Raises:
        ValueError: If they are no integers, or a node is not there.
    """
    index = np.asarray(nodes)
    if index.size == 0:
        return np.empty(0, dtype=np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise ValueError(f"nodes are a list of integers, not {index.dtype} of shape {index.shape}")
    least, largest = index.min(), index.max()
    if least < 0 or largest >= num_nodes:
        bad = least if least < 0 else largest
        raise ValueError(f"node {bad} is unknown; the {num_nodes} nodes are 0 to {num_nodes - 1}")
    return index.astype(np.int64)


def _check_graphs(graph_of_node: Array, nodes: int) -> Array:
    """Numbers of graphs as ``int64``."""
    if graph_of_node.shape != (nodes,) or graph_of_node.dtype.kind not in "iu":
        raise ValueError(
            f"graph_of_node is {graph_of_node.dtype} of shape {graph_of_node.shape}; it must hold "
            f"{nodes} integers, one for each node"
        )
    least, largest = int(graph_of_node.min()), int(graph_of_node.max())
    if least < 0 or largest >= nodes:
        bad = least if least < 0 else largest
        raise ValueError(
            f"graph_of_node holds {bad}; graphs are numbered from 0 on, and there are no more of "
            f"them than nodes ({nodes})"
        )
    return graph_of_node.astype(np.int64)


def check_features(x: Array, width: int, nodes: int | None = None) -> Array:
    """Check features.

    Args:
        x: The features.
        width: How many a node has.
        nodes: How many nodes there are; ``None`` for any number.

    Raises:
        ValueError: If they are none, or have another shape.
    """
    wanted = "nodes" if nodes is None else nodes
    if x.ndim != 2 or x.shape[1] != width or nodes not in (None, x.shape[0]):
        raise ValueError(f"x has shape {x.shape}; it must be [{wanted}, {width}]")
    if x.shape[0] == 0:
        raise ValueError("x has no row; a graph has at least one node")
    if x.dtype.kind not in "biuf":
        raise ValueError(f"x holds {x.dtype}; it must hold numbers")
    if not _is_finite(x):
        raise ValueError("x holds NaN or infinite values; every one must be finite")
    return x


def _check_edges(edge_index: Array) -> None:
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index has shape {edge_index.shape}; it must be [2, edges]")
    if edge_index.dtype.kind not in "iu" and edge_index.size:
        raise ValueError(f"edge_index holds {edge_index.dtype}; it must hold integers")


def _is_finite(x: Array) -> bool:
    if x.dtype.kind != "f":
        return True
    flat = x.ravel()
    # A sum of squares is finite only where all are, and takes a fraction of the time.
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(flat).all())
