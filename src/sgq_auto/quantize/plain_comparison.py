"""A prepared model against the plain one of PyG, on the real graph in the user's order."""

import copy
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import CsrPattern, Graph, PreparedData
from sgq_auto.graphs.adjacency import csr_with_loops
from sgq_auto.graphs.edge_weights import weights_of_entries
from sgq_auto.quantize.forward.model_output import check_logits
from sgq_auto.quantize.forward.plain_run import run_plain
from sgq_auto.quantize.prepare import GenericLayerWarning, prepare, unused_weights

# Largest difference of two outputs that are the same, relative to the largest logit (at least 1).
_TOLERANCE = 1e-4
# PyG's layers make a tensor of edges by features: of more edges, some are compared.
_MOST_EDGES = 1 << 22
# PyG's models read dense features: larger ones than 1 GiB are not made.
_MOST_FEATURES = 1 << 28
# Parameters that start at zero would hide which node they belong to.
_NOISE = 0.1


@dataclass(frozen=True, eq=False)
class Fitted:
    """A graph in the order of nodes that a model needs.

    Attributes:
        data: The graph.
        note: What a person should know of it, if there is anything.
        unused: What is said of weights of edges that the model does not take, if it takes none.
    """

    data: PreparedData
    note: str | None = None
    unused: str | None = None


def in_order_of(model: nn.Module, data: PreparedData) -> Fitted:
    """The graph in an order in which the prepared model is the plain one.

    Most models do not depend on the order of nodes, and are faster with nodes that are sorted by
    degree bucket. A model that has a row for each node in a parameter or a buffer (an embedding,
    positional encodings) needs them in the user's own order. Which kind a model is, is found by
    running it: as plain PyG on the user's order, and prepared at 32 bits. Its parameters are
    shifted at random first, in a copy.

    Args:
        model: A plain model, trained or not.
        data: The prepared graph.

    Raises:
        InputError: If the prepared model differs from the plain one in either order.
    """
    unused = _check(model, data.graph)
    if unused is not None:
        data = data.without_edge_features()
    return replace(_fitted(model, data), unused=unused)


def _fitted(model: nn.Module, data: PreparedData) -> Fitted:
    if data.graph.num_nodes * data.graph.features.num_features > _MOST_FEATURES:
        return _by_shapes(model, data)
    comparison = _Comparison.of(model, data)
    if comparison.is_random:
        return Fitted(
            data,
            f"{type(model).__name__} gives other outputs each time it is run: it was not compared "
            "with plain PyG",
        )
    if comparison.difference(data.graph) <= _TOLERANCE:
        return Fitted(data)
    if data.graph.is_inductive:
        raise InputError(comparison.explain(comparison.difference(data.graph)))
    original = data.in_original_order()
    difference = comparison.difference(original.graph)
    if difference <= _TOLERANCE:
        return Fitted(original, _own_order_note(model))
    raise InputError(comparison.explain(difference))


def _own_order_note(model: nn.Module) -> str:
    return (
        f"{type(model).__name__} depends on the order of the nodes (it has a row for each): it is "
        "given them in their own order, which trains more slowly"
    )


def _by_shapes(model: nn.Module, data: PreparedData) -> Fitted:
    """For features too large for plain PyG: by whether any parameter or buffer has a row a node."""
    state = [*model.parameters(), *model.buffers()]
    if any(data.graph.num_nodes in tensor.shape for tensor in state):
        return Fitted(data.in_original_order(), _own_order_note(model))
    return Fitted(
        data,
        f"{type(model).__name__} was not compared with plain PyG: dense features would be too "
        "large for it",
    )


@dataclass(frozen=True, eq=False)
class _Comparison:
    """A plain model and what it returns for the user's own order of nodes and edges.

    Attributes:
        model: The plain model, its parameters shifted.
        x: Features ``[N, F]``.
        edge_index: The edges ``[2, E]`` it was run on.
        edge_attr: Their weights, ``[E]`` or ``[E, 1]``, or features, if they have some.
        batch: The graph of each node ``[N]``, where the model predicts graphs.
        expected: What it returned.
        whole: Whether these are all edges.
    """

    model: nn.Module
    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor | None
    batch: Tensor | None
    expected: Tensor
    whole: bool

    @classmethod
    def of(cls, model: nn.Module, data: PreparedData) -> "_Comparison":
        """Run a plain model on the graph in the user's order."""
        x, whole = _by_node(data.graph.features.dense(), data.graph), data.edge_index is not None
        if data.edge_index is None:
            edges = _some_edges(data.graph)
        else:
            weights = None if data.edge_weight is None else torch.from_numpy(data.edge_weight)
            edges = torch.from_numpy(data.edge_index), weights
        given = *edges, _batch(data.graph)
        shifted = _shifted(model)
        expected = _run(shifted, x, *given)
        if not bool(expected.isfinite().all()):
            shifted = copy.deepcopy(model).eval()
            expected = _run(shifted, x, *given)
        return cls(shifted, x, *given, expected, whole)

    @property
    def is_random(self) -> bool:
        """Whether another run gives another result."""
        again = _run(self.model, self.x, self.edge_index, self.edge_attr, self.batch)
        return _relative_difference(again, self.expected) > _TOLERANCE

    def difference(self, graph: Graph) -> float:
        """Largest difference of the prepared model on ``graph``, relative to the largest logit."""
        if not self.whole:
            graph = _with_edges(graph, self.edge_index, self.edge_attr)
        rows = _prepared_logits(self.model, graph)
        if not graph.task.predicts_graphs:
            rows = _by_node(rows, graph)
        return _relative_difference(rows, self.expected)

    def explain(self, difference: float) -> str:
        """Why the prepared model is not the plain one, in a line."""
        name = type(self.model).__name__
        order = (self.edge_index[0] * self.x.size(0) + self.edge_index[1]).argsort()
        weights = None if self.edge_attr is None else self.edge_attr[order]
        by_source = _run(self.model, self.x, self.edge_index[:, order], weights, self.batch)
        if _relative_difference(by_source, self.expected) > _TOLERANCE:
            return (
                f"{name} depends on the order of the edges (it has a value for each): give them "
                "sorted by source, then target, as torch_geometric.utils.coalesce does"
            )
        return (
            f"{name}: prepared at 32 bits, its outputs differ from plain PyG's by "
            f"{difference:.2g} of the largest; bits that are found for it would be for another "
            "model"
        )


def _check(model: nn.Module, graph: Graph) -> str | None:
    """What is no model for a graph is said before anything is compared.

    Returns:
        What is said of weights of edges that the model does not take.
    """
    prepared = _prepared(model, graph)
    with torch.no_grad():
        output = prepared(graph.features, graph.adj_t)
    try:
        check_logits(output, graph.num_outputs, graph.num_classes)
    except InputError as error:
        raise InputError(f"{type(model).__name__}: {error}") from error
    return unused_weights(prepared)


def _prepared(model: nn.Module, graph: Graph) -> nn.Module:
    """The model prepared at 32 bits."""
    with warnings.catch_warnings():
        # Of layers without a twin the search speaks itself.
        warnings.simplefilter("ignore", GenericLayerWarning)
        return prepare(model, graph)


def _prepared_logits(model: nn.Module, graph: Graph) -> Any:
    """What the model returns when it is prepared at 32 bits."""
    prepared = _prepared(model, graph)
    with torch.no_grad():
        return prepared(graph.features, graph.adj_t)


def _shifted(model: nn.Module) -> nn.Module:
    """A copy, in evaluation mode, with a little noise on every parameter."""
    shifted = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in shifted.parameters():
            if parameter.is_floating_point():
                spread = parameter.std(correction=0).item() or 1.0
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise.to(parameter), alpha=_NOISE * spread)
    return shifted


def _batch(graph: Graph) -> Tensor | None:
    """The graph of each node in the user's order, for a model that predicts graphs."""
    if not graph.task.predicts_graphs:
        return None
    if graph.graph_of_node is None:
        return torch.zeros(graph.num_nodes, dtype=torch.int64)
    return _by_node(graph.graph_of_node, graph)


def _run(
    model: nn.Module,
    x: Tensor,
    edge_index: Tensor,
    edge_attr: Tensor | None,
    batch: Tensor | None,
) -> Tensor:
    """Logits of a copy: layers may keep what they computed of these edges."""
    try:
        logits: Tensor = run_plain(copy.deepcopy(model), x.clone(), edge_index, edge_attr, batch)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{type(model).__name__} fails as a plain PyG model on the graph "
            f"({type(error).__name__}: {reason})"
        ) from error
    return logits


def _relative_difference(one: Tensor, other: Tensor) -> float:
    one, other = one.double().nan_to_num(), other.double().nan_to_num()
    return float((one - other).abs().max() / other.abs().max().clamp(min=1))


def _by_node(rows: Tensor, graph: Graph) -> Tensor:
    """A tensor with a row a node of ``graph`` in the user's order."""
    nodes = torch.empty_like(rows)
    nodes[graph.node_order] = rows
    return nodes


def _some_edges(graph: Graph) -> tuple[Tensor, Tensor | None]:
    """Every so many-th edge ``[2, E]`` by original nodes, sorted by source, then target.

    With their weights, if they have some.
    """
    pattern = graph.adj_t
    step = -(-pattern.num_entries // _MOST_EDGES)
    entries = torch.arange(0, pattern.num_entries, step)
    rows = torch.searchsorted(pattern.rowptr.long(), entries, right=True) - 1
    edges = graph.node_order[torch.stack([pattern.col[entries].long(), rows])]
    kept = edges[0] != edges[1]
    edges, entries = edges[:, kept], entries[kept]
    order = (edges[0] * graph.num_nodes + edges[1]).argsort()
    weights = None if pattern.weights is None else pattern.weights[entries[order]]
    return edges[:, order], weights


def _with_edges(graph: Graph, edge_index: Tensor, edge_attr: Tensor | None) -> Graph:
    """The graph with only some of its edges, given by original nodes, and their weights."""
    row_of_node = torch.empty_like(graph.node_order)
    row_of_node[graph.node_order] = torch.arange(graph.num_nodes)
    rowptr, col = csr_with_loops(row_of_node[edge_index].numpy(), graph.num_nodes)
    weights = None
    if edge_attr is not None:
        listed, order = edge_index.numpy(), graph.node_order.numpy()
        weights = weights_of_entries(listed, edge_attr.numpy(), rowptr, col, order)
        weights = weights.reshape(-1, *edge_attr.shape[1:])
    return replace(graph, adj_t=CsrPattern.from_arrays(rowptr, col, graph.adj_t.shape, weights))
