"""What the arrays of a NumPy archive are called by those who write them.

Beside the names of PyG (``x``, ``edge_index``, ``y``) these are the ones of heterophilous-graphs
(``node_features``, ``node_labels``, ``edges``) and of gnn-benchmark (``attr_data``, ``adj_data``,
``labels``), and what people call them by hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sgq_auto.errors import InputError

_X = (
    "x",
    "features",
    "feature",
    "feat",
    "feats",
    "node_features",
    "node_feat",
    "node_feats",
    "attr",
)
_Y = ("y", "labels", "label", "node_labels", "node_label")
_EDGES = ("edge_index", "edges", "edge_list")
_ADJACENCY = ("adj", "adjacency", "adj_matrix", "adjacency_matrix")
_CSR_PARTS = ("data", "indices", "indptr", "shape")
_CSR_X = ("x", "attr", "attr_matrix", "features", "feat", "node_features")


@dataclass(frozen=True)
class ArrayNames:
    """Under which names an archive has the parts of a graph.

    Attributes:
        x: One array, or the four parts of a CSR matrix.
        edges: One array, or the four parts of a CSR matrix.
        y: The classes.
    """

    x: tuple[str, ...]
    edges: tuple[str, ...]
    y: str

    @classmethod
    def among(cls, names: Iterable[str], where: str) -> "ArrayNames":
        """Find the parts among the names of an archive.

        Raises:
            InputError: If one is missing, or may be two of them.
        """
        known = set(names)
        edges: list[tuple[str, ...]] = [(name,) for name in (*_EDGES, *_ADJACENCY) if name in known]
        edges += _sparse(known, _ADJACENCY)
        x: list[tuple[str, ...]] = [(name,) for name in _X if name in known]
        x += _sparse(known, _CSR_X)
        y: list[tuple[str, ...]] = [(name,) for name in _Y if name in known]
        missing = [f"x_{part}" for part in _CSR_PARTS if f"x_{part}" not in known]
        listed = f"; it has {', '.join(sorted(map(repr, known))[:12])}"
        if not x:
            part = f"no array {missing[0]}; " if 0 < len(missing) < len(_CSR_PARTS) else ""
            raise InputError(
                f"{where}: {part}no features: give x, or x_data, x_indices, x_indptr and x_shape"
                f"{listed}"
            )
        return cls(
            _only(x, where, ""),
            _only(edges, where, f"{where}: no array edge_index, and no edges{listed}"),
            _only(y, where, f"{where}: no array y, and no labels{listed}")[0],
        )

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, for reading those arrays and no others."""
        return (*self.x, *self.edges, self.y)

    @property
    def adjacency(self) -> bool:
        """Whether the edges are a matrix of nodes by nodes."""
        return self.edges[0] not in _EDGES

    def renamed(self) -> str | None:
        """What is said where the names are not PyG's."""
        if self.all == ("x", "edge_index", "y"):
            return None
        parts = (("features", self.x), ("edges", self.edges), ("classes", (self.y,)))
        return "; ".join(f"{what} are {', '.join(map(repr, names))}" for what, names in parts)


def _sparse(known: set[str], prefixes: Iterable[str]) -> list[tuple[str, ...]]:
    spelled = [tuple(f"{p}{dot}{k}" for k in _CSR_PARTS) for p in prefixes for dot in "_."]
    return [names for names in spelled if known.issuperset(names)]


def _only(found: list[tuple[str, ...]], where: str, missing: str) -> tuple[str, ...]:
    if not found:
        raise InputError(missing)
    if len(found) > 1:
        raise InputError(
            f"{where}: {found[0][0]} and {found[1][0]} may both be meant; leave one of them out"
        )
    return found[0]
