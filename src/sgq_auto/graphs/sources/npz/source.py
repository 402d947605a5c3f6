"""A graph in a NumPy archive of the user's own."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.edge_weights import both_ways, check_weights
from sgq_auto.graphs.raw_graph import IntArray, RawGraph
from sgq_auto.graphs.sources.class_numbers import GivenLabels
from sgq_auto.graphs.sources.edge_attributes import EDGE_VALUES, taken_as, weights_among
from sgq_auto.graphs.sources.npz.archive import NpzArchive
from sgq_auto.graphs.sources.npz.names import ArrayNames
from sgq_auto.graphs.sources.split_fields import is_split_name, splits_of
from sgq_auto.graphs.sources.unread_arrays import left_out

Arrays = dict[str, np.ndarray[Any, Any]]
_NAMES = "class_names"
_EDGE_INDEX = "edge_index"


class NpzSource:
    """Reads features, edges, labels, and optional names and splits from a ``.npz`` file.

    - ``x``: ``[N, F]`` numbers; or ``x_data``, ``x_indices``, ``x_indptr``, ``x_shape``.
    - ``edge_index``: ``[2, E]`` integers, source and target; or ``edges`` ``[E, 2]``, or an
      adjacency matrix, dense or in such four parts.
    - ``edge_weight``: ``[E]`` weights of the edges, or ``edge_attr`` of one column, or the values
      of the adjacency matrix where they are not all 1; or features of the edges, ``edge_attr``
      ``[E, columns]``; or none.
    - ``y``: ``[N]`` integers, classes from 0, -1 where a node has none; or ``[N, L]`` 0 or 1 for
      each of several labels; or ``[N]`` or ``[N, T]`` numbers to predict. NaN is no label.
    - ``class_names``: ``[classes]`` (or labels, or numbers) strings (NumPy's own, no
      objects), or none.
    - ``train_mask``, ``val_mask``, ``test_mask``, or the same parts in other ways
      (:mod:`~sgq_auto.graphs.sources.split_fields`), or none.

    Other usual names (:mod:`~sgq_auto.graphs.sources.npz.names`) are read too, and that is said.
    Only what is used is read; object arrays (pickles) never are.

    Args:
        path: The file.
        undirected: Whether an edge joins both ways; ``None``: ``edge_index`` as it is, like PyG's,
            and both ways what is called otherwise, like the files of benchmarks are meant.
        edge_weight: Whether values of edges are their weights, or their features; otherwise they
            are left out.
    """

    def __init__(
        self, path: str | None, *, undirected: bool | None = None, edge_weight: bool = True
    ) -> None:
        if not path:
            raise InputError("dataset=npz: no file given; add dataset.source.path=GRAPH.npz")
        self.path = Path(path)
        self.undirected = undirected
        self.edge_weight = edge_weight

    def load(self) -> RawGraph:
        """Read the arrays, under whichever names they are known, and convert them.

        Raises:
            InputError: If the file is missing or damaged, or an array is missing.
        """
        if not self.path.is_file():
            raise InputError(f"dataset=npz: there is no file {self.path}")
        archive = NpzArchive(self.path)
        names = ArrayNames.among(archive.headers, str(self.path))
        given_weights = self._given_weights(archive)
        known = {_NAMES, *filter(is_split_name, archive.headers)} & set(archive.headers)
        known |= set() if given_weights is None else {given_weights}
        self._check_sizes(archive, names)
        arrays = archive.read([*names.all, *sorted(known)])
        edge_index, weights, of_edges = self._edges(arrays, names, given_weights)
        x = self._x(arrays, names)
        called = self._class_names(arrays)
        labels = GivenLabels.of(arrays[names.y], called, str(self.path), self.path.stem)
        num_nodes = int(labels.y.shape[0])
        given = splits_of(arrays, num_nodes, str(self.path))
        sizes = {
            name: header.shape[0] if header.shape else None
            for name, header in archive.headers.items()
            if name not in {*names.all, _NAMES, *given.used, given_weights}
        }
        renamed = names.renamed()
        return RawGraph(
            name=self.path.stem,
            x=x,
            edge_index=edge_index,
            y=labels.y,
            numbers=labels.numbers,
            split=given.single,
            splits=given.choices,
            class_names=labels.names,
            edge_weight=weights,
            notes=(
                *([f"{self.path.name}: {renamed}"] if renamed else []),
                *of_edges,
                *labels.notes,
                *left_out(sizes, num_nodes, _listed_edges(arrays, names), self.path.name),
            ),
        )

    def _check_sizes(self, archive: NpzArchive, names: ArrayNames) -> None:
        """Refuse features of another number of nodes before they are unpacked."""
        x, y = (archive.headers[name].shape for name in (names.x[0], names.y))
        if len(names.x) == 1 and len(x) == 2 and y and x[0] not in y:
            raise InputError(
                f"{self.path}: {names.x[0]} has {x[0]:,} rows and {names.y} has shape {y}; both "
                "must have one for each node"
            )

    def _x(self, arrays: Arrays, names: ArrayNames) -> Any:
        if len(names.x) == 1:
            return self._numbers(arrays[names.x[0]], names.x[0])
        return self._csr(arrays, names.x)

    def _csr(self, arrays: Arrays, names: tuple[str, ...]) -> Any:
        data, indices, indptr, shape = (arrays[name] for name in names)
        try:
            size = tuple(int(n) for n in shape.tolist())
            matrix = scipy.sparse.csr_matrix(
                (self._numbers(data, names[0]), indices, indptr), shape=size
            )
            matrix.check_format(full_check=True)
        except (ValueError, TypeError) as error:
            stem = names[0].removesuffix("data")
            raise InputError(f"{self.path}: {stem}* is no valid CSR matrix ({error})") from error
        matrix.sum_duplicates()
        return matrix

    def _given_weights(self, archive: NpzArchive) -> str | None:
        """The array of weights beside a list of edges, if there is one that is wanted."""
        if not self.edge_weight:
            return None
        shapes = {k: archive.headers[k].shape for k in EDGE_VALUES if k in archive.headers}
        advice = "leave it out, or set dataset.source.edge_weight=false"
        return weights_among(shapes, str(self.path), advice)

    def _edges(
        self, arrays: Arrays, names: ArrayNames, given_weights: str | None
    ) -> tuple[IntArray, Any, list[str]]:
        """The edges, their weights if they have some, and what to say of both."""
        notes: list[str] = []
        weights = None
        if names.adjacency:
            edges, weights, notes = self._of_adjacency(arrays, names, given_weights)
        else:
            edges = self._listed(arrays, names)
        if given_weights is not None:
            weights = self._numbers(arrays[given_weights], given_weights)
            what = taken_as(weights.shape)
            notes.append(f"{self.path.name}: {given_weights!r} is taken for {what}")
        undirected = names.edges != (_EDGE_INDEX,) if self.undirected is None else self.undirected
        if undirected and edges.ndim == 2 and edges.shape[0] == 2:
            if weights is not None:
                check_weights(edges, weights, str(self.path))
            edges, weights = both_ways(edges, weights, str(self.path))
            notes.append(
                f"{self.path.name}: edges are read as undirected; dataset.source.undirected=false "
                "keeps directions"
            )
        return edges, weights, notes

    def _of_adjacency(
        self, arrays: Arrays, names: ArrayNames, given_weights: str | None
    ) -> tuple[IntArray, Any, list[str]]:
        """Edges of an adjacency matrix, and its values where they are weights."""
        matrix, called = self._adjacency(arrays, names), names.edges[0]
        edges = np.stack([matrix.row, matrix.col]).astype(np.int64)
        if given_weights is not None:
            raise InputError(
                f"{self.path}: {given_weights} is for a list of edges, and the edges are the "
                f"matrix {called}; leave one of them out"
            )
        if not matrix.nnz or (matrix.data == 1).all():
            return edges, None, []
        if not self.edge_weight:
            return edges, None, [f"{self.path.name}: the values of {called!r} are not used"]
        said = (
            f"{self.path.name}: the values of {called!r} are taken for the weights of edges; "
            "dataset.source.edge_weight=false leaves them out"
        )
        return edges, matrix.data, [said]

    def _listed(self, arrays: Arrays, names: ArrayNames) -> IntArray:
        """Edges of a list."""
        (key,) = names.edges
        edges = self._integers(arrays[key], key).astype(np.int64)
        # Called edge_index it must be as PyG has it; otherwise a row is an edge.
        if key != _EDGE_INDEX and edges.ndim == 2 and edges.shape[1] == 2:
            edges = np.ascontiguousarray(edges.T)
        listed: IntArray = edges
        return listed

    def _adjacency(self, arrays: Arrays, names: ArrayNames) -> Any:
        if len(names.edges) > 1:
            matrix = self._csr(arrays, names.edges).tocoo()
        else:
            dense = self._numbers(arrays[names.edges[0]], names.edges[0])
            matrix = scipy.sparse.coo_matrix(dense) if dense.ndim == 2 else dense
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise InputError(
                f"{self.path}: {names.edges[0]} is {matrix.shape}; it must be [nodes, nodes]"
            )
        return matrix

    def _numbers(self, array: Any, name: str) -> Any:
        if array.dtype.kind not in "biuf":
            raise InputError(f"{self.path}: {name} has dtype {array.dtype}; it must be numeric")
        return array.astype(np.float32)

    def _integers(self, array: Any, name: str) -> Any:
        if array.dtype.kind not in "iu":
            raise InputError(f"{self.path}: {name} has dtype {array.dtype}; it must be integer")
        return array

    def _class_names(self, arrays: Arrays) -> tuple[str, ...] | None:
        if _NAMES not in arrays:
            return None
        names = arrays[_NAMES]
        if names.dtype.kind != "U" or names.ndim != 1:
            raise InputError(
                f"{self.path}: class_names is {names.dtype} {names.shape}; "
                "it must hold one string a class"
            )
        return tuple(names.tolist())


def _listed_edges(arrays: Arrays, names: ArrayNames) -> int:
    """How many edges the archive lists, to tell what else is given for each."""
    array = arrays[names.edges[0]]
    return int(max(array.shape, default=0)) if len(names.edges) == 1 else int(array.size)
