"""The graph that a prepared model runs on, and what the model has made of it."""

from collections.abc import Callable
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, SparseFeatures

T = TypeVar("T")


class BoundGraph:
    """The graph that a prepared model runs on; its layers and quantizers share one such object.

    A model is bound to the graph that it was prepared for, and may be bound to others. What its
    layers make of a graph once (a quantized adjacency, quantized features) is kept as long as the
    graph is.

    Args:
        graph: The graph that the model is prepared for.

    Attributes:
        own: That graph.
        current: The graph that it runs on.
    """

    def __init__(self, graph: Graph) -> None:
        self.own = graph
        self.current = graph
        self._kept: WeakKeyDictionary[Graph, dict[str, Any]] = WeakKeyDictionary()
        self._of_current = self._kept.setdefault(graph, {})

    def __deepcopy__(self, _memo: Any) -> Self:
        """Bound to the same graph, which may be large; nothing is kept yet."""
        copied = type(self)(self.own)
        copied.bind(self.current)
        return copied

    def bind(self, graph: Graph) -> None:
        """Run on another graph from now on.

        Raises:
            InputError: If it has other features or degree buckets than the model's own graph.
        """
        if graph is self.current:
            return
        if graph not in self._kept:
            self._check(graph)
        self.current = graph
        self._of_current = self._kept.setdefault(graph, {})

    def kept(self, name: str) -> Any:
        """What is kept of the current graph under a name; ``None`` where nothing is yet."""
        return self._of_current.get(name)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What ``make`` returns, made once for each graph and kept under a name."""
        if name not in self._of_current:
            self._of_current[name] = make()
        made: T = self._of_current[name]
        return made

    def _check(self, graph: Graph) -> None:
        own = self.own
        if own.bucket_rows is not None or graph.bucket_rows is not None:
            raise InputError(
                "a model that has a row for each node in a parameter or a buffer runs on its own "
                "graph alone"
            )
        both = {
            "features a node": (own.features.num_features, graph.features.num_features),
            "split points": (list(own.split_points), list(graph.split_points)),
            "sparse features": (_is_sparse(own), _is_sparse(graph)),
            "normalized rows": (own.features.normalize_rows, graph.features.normalize_rows),
            "scaled features": (own.features.scaling, graph.features.scaling),
            "weights of edges": (_is_weighted(own), _is_weighted(graph)),
            "device": (str(own.device), str(graph.device)),
        }
        for what, (needed, found) in both.items():
            if needed != found:
                raise InputError(
                    f"{graph.name}: {what}: {found}; the model was prepared for {needed}"
                )


def _is_sparse(graph: Graph) -> bool:
    return isinstance(graph.features, SparseFeatures)


def _is_weighted(graph: Graph) -> bool:
    return graph.adj_t.weights is not None
