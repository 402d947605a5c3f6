"""The largest of many graphs, whose sizes are those of a model for such graphs."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sgq_auto.errors import InputError
from sgq_auto.graphs.feature_matrix import SparseFeatures
from sgq_auto.graphs.many_graphs.parts import part
from sgq_auto.graphs.many_graphs.same_edges import have_same_edges
from sgq_auto.graphs.prepared_graph import Graph
from sgq_auto.packed import FootprintModel, GraphSpec, ModelSpec
from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec
from sgq_auto.packed.sizes.resized_graph import resized

# Graphs that no other one exceeds in nodes, edges and stored feature values: few, as a rule.
_MOST_TRIED = 64


@dataclass(frozen=True)
class Largest:
    """The largest graph for a model.

    Attributes:
        number: Which one it is; ``None`` for the one fixed graph.
        footprints: Sizes of the model on it, or on one like it of the size that was given.
        given: Whether a size was given.
    """

    number: int | None
    footprints: FootprintModel
    given: bool = False

    @property
    def note(self) -> str | None:
        """What is said of it before a search; nothing of a fixed graph."""
        if self.number is None:
            return None
        spec = self.footprints.graph
        if spec.fixed:
            return (
                f"all graphs have the same {spec.num_nodes:,} nodes and {spec.num_edges:,} edges: "
                "the packed model holds them, and is given features"
            )
        counts = f"{spec.num_nodes:,} nodes and {spec.num_edges:,} edges"
        if self.given:
            return (
                f"sizes are those at a graph of {counts}, as footprint.graph says, with the shares "
                f"of the largest graph, number {self.number}"
            )
        return f"sizes are those at the largest graph, number {self.number}: {counts}"


def largest_graph(model: ModelSpec, graph: Graph, size: tuple[int, int] | None = None) -> Largest:
    """Sizes of a model on its graph, or on the graph of many that it takes the most bytes for.

    That is what a device must hold. The most are the most resident bytes at full precision, of the
    packed runtime; of two graphs with as many, the first.

    Args:
        model: The model.
        graph: Its graph, or the graphs.
        size: Nodes and edges of the largest graph that a device will be given; ``None`` has sizes
            at the largest of the data.

    Raises:
        InputError: If a size is given and the graph is fixed, or no graph like these has it.
    """
    if size is not None and (not graph.is_inductive or have_same_edges(graph)):
        raise InputError(
            f"footprint.graph={list(size)}: it is for models of many graphs; the file of this one "
            "has its own graph, whose size is known"
        )
    if not graph.is_inductive:
        return Largest(None, FootprintModel(model, graph.spec))
    fixed = have_same_edges(graph)
    found: Largest | None = None
    most = -1
    for number in _candidates(graph):
        footprints = FootprintModel(model, replace(_spec(graph, number), fixed=fixed))
        num_bytes = footprints.packed(footprints.all_full()).resident_bytes
        if num_bytes > most:
            found, most = Largest(number, footprints), num_bytes
    assert found is not None
    return found if size is None else _resized(found, *size)


def _resized(found: Largest, nodes: int, edges: int) -> Largest:
    """The same, as a graph of so many nodes and edges."""
    footprints = found.footprints
    try:
        spec = resized(footprints.graph, nodes, edges)
    except ValueError as error:
        raise InputError(f"footprint.graph={[nodes, edges]}: {error}") from error
    return Largest(found.number, FootprintModel(footprints.model, spec), given=True)


def _spec(graph: Graph, number: int) -> GraphSpec:
    """The counts of one of the graphs.

    What a model does alike for all graphs is told by all: whether edges go both ways, and which
    features are equal.
    """
    own = part(graph, torch.tensor([number], device=graph.device)).spec
    whole, weights = graph.spec, own.weights
    if whole.weights is not None and not whole.weights.symmetric:
        weights = EdgeWeightSpec(False, own.bucket_edges, whole.weights.columns)
    constant = whole.features.bucket_constant
    return replace(
        own,
        features=replace(own.features, bucket_constant=constant),
        symmetric=whole.symmetric,
        weights=weights,
        inductive=True,
    )


def _candidates(graph: Graph) -> list[int]:
    """The graphs, rising, of which none has less of everything than another one."""
    assert graph.graph_of_node is not None
    owner, count = graph.graph_of_node, graph.num_graphs
    nodes = torch.bincount(owner, minlength=count)
    edges = torch.bincount(owner, graph.adj_t.rowptr.diff().double(), minlength=count)
    values = nodes
    if isinstance(graph.features, SparseFeatures):
        stored = graph.features.pattern.rowptr.diff().double()
        values = torch.bincount(owner, stored, minlength=count)
    sizes = torch.stack([nodes.double(), edges.double(), values.double()], dim=1).cpu().numpy()
    order = np.lexsort((np.arange(count), *-sizes.T))
    kept: list[int] = []
    for number in order.tolist():
        if not any((sizes[other] >= sizes[number]).all() for other in kept):
            kept.append(number)
        if len(kept) == _MOST_TRIED:
            break
    return sorted(kept)
