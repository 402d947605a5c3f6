"""A graph that is given to be predicted: read with numpy alone from a ``.npz`` file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.node_files.node_ids import NodeIds
from sgq_auto.packed.codes.bit_packing import Array

_WEIGHTS, _GRAPHS = ("edge_weight", "edge_attr"), ("graph_of_node", "batch")
_KNOWN = ("x", "edge_index", *_WEIGHTS, *_GRAPHS)
# What a file may unpack to: many times its own size, and always this much.
_ALWAYS_ALLOWED, _GROWTH = 1 << 26, 256
_UNREADABLE = (ValueError, TypeError, OSError, EOFError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class GivenGraph:
    """A graph, or several, to be predicted.

    Attributes:
        x: ``[N, F]`` features.
        edge_index: ``[2, E]`` edges, source and target; ``None`` where only features are given,
            for a model that holds the edges.
        edge_weight: ``[E]`` their weights, or ``[E, columns]`` their features, if they have some.
        graph_of_node: ``[N]``, the graph of each node, where there are several.
        ids: What the nodes are called, where that is not the numbers of their rows.
        notes: What was taken for what, a line each.
        graphs: What the graphs are called, where that is not their numbers.
    """

    x: Array
    edge_index: Array | None
    edge_weight: Array | None = None
    graph_of_node: Array | None = None
    ids: NodeIds | None = None
    notes: tuple[str, ...] = ()
    graphs: tuple[str, ...] | None = None

    def graph_names(self, count: int) -> Sequence[str]:
        """What so many graphs are called: their names, or their numbers from 0 on."""
        return self.graphs or [str(number) for number in range(count)]

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return int(self.x.shape[0])

    def arguments(self, *, by_graph: bool) -> dict[str, Any]:
        """What a packed model's ``predict`` takes of it.

        Args:
            by_graph: Whether the model answers once for each graph.
        """
        given = {"x": self.x}
        if self.edge_index is not None:
            given["edge_index"] = self.edge_index
        if self.edge_weight is not None:
            is_weight = self.edge_weight.ndim < 2 or self.edge_weight.shape[1] == 1
            given["edge_weight" if is_weight else "edge_attr"] = self.edge_weight
        if by_graph and self.graph_of_node is not None:
            given["graph_of_node"] = self.graph_of_node
        return given

    @classmethod
    def of_npz(cls, path: Path, max_bytes: int | None = None) -> Self:
        """Read ``x``, ``edge_index``, and where there are such, weights of edges and graphs.

        Weights are ``edge_weight`` or ``edge_attr``, which may be features of several columns; the
        graph of each node is ``graph_of_node`` or ``batch``. Nothing that needs pickle is read, and
        other arrays are left out.

        Args:
            path: The file.
            max_bytes: What it may unpack to; by default 256 times its size, and at least 64 MiB.

        Raises:
            InputError: If it is no such file, or unpacks to more.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                total = sum(info.file_size for info in archive.infolist())
            allowed = max(_ALWAYS_ALLOWED, _GROWTH * path.stat().st_size)
            allowed = allowed if max_bytes is None else max_bytes
            if total > allowed:
                raise InputError(
                    f"graph={path}: it unpacks to {total:,} bytes; {allowed:,} are allowed; give "
                    f"max_bytes={total} for a file that you trust"
                )
            with np.load(path, allow_pickle=False) as arrays:
                held = {name: arrays[name] for name in _KNOWN if name in arrays.files}
                others = sorted(set(arrays.files) - set(_KNOWN))
        except _UNREADABLE as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"graph={path}: not a NumPy archive of plain arrays ({reason}); write it with "
                "numpy.savez(path, x=..., edge_index=...)"
            ) from error
        if "x" not in held:
            raise InputError(f"graph={path}: it has no array 'x'; give x and edge_index")
        notes = (f"{path.name}: not used: {', '.join(others)}",) if others else ()
        return cls(
            held["x"],
            held.get("edge_index"),
            _first(held, _WEIGHTS),
            _first(held, _GRAPHS),
            notes=notes,
        )


def _first(held: dict[str, Array], names: tuple[str, ...]) -> Array | None:
    return next((held[name] for name in names if name in held), None)
