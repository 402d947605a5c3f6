"""A graph in a NumPy archive of the user's own."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw import MASKS, RawGraph, Split, refuse_edge_values

_CSR_PARTS = ("x_data", "x_indices", "x_indptr", "x_shape")
# What NumPy raises for files that are no archive, cut short, damaged or pickled.
_UNREADABLE = (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


class NpzSource:
    """Reads features, edges, classes, and optional names and masks from a ``.npz`` file.

    - ``x``: ``[N, F]`` numbers; or ``x_data``, ``x_indices``, ``x_indptr``, ``x_shape``.
    - ``edge_index``: ``[2, E]`` integers, source and target.
    - ``y``: ``[N]`` integers, classes from 0; -1 where a node has none.
    - ``class_names``: ``[classes]`` strings (NumPy's own, no objects), or none.
    - ``train_mask``, ``val_mask``, ``test_mask``: ``[N]`` booleans, all three or none.

    Object arrays (pickles) are refused.
    """

    def __init__(self, path: str | None) -> None:
        if not path:
            raise InputError("dataset=npz: no file given; add dataset.source.path=GRAPH.npz")
        self.path = Path(path)

    def load(self) -> RawGraph:
        """Read and convert the arrays."""
        if not self.path.is_file():
            raise InputError(f"dataset=npz: there is no file {self.path}")
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except _UNREADABLE as error:
            raise InputError(
                f"{self.path}: not a NumPy archive of plain arrays ({error}); "
                "write it with numpy.savez"
            ) from error
        refuse_edge_values(arrays, str(self.path), "leave it out")
        return RawGraph(
            name=self.path.stem,
            x=self._x(arrays),
            edge_index=self._integers(arrays, "edge_index"),
            y=self._integers(arrays, "y"),
            split=self._split(arrays),
            class_names=self._class_names(arrays),
        )

    def _x(self, arrays: dict[str, Any]) -> Any:
        if "x" in arrays:
            return self._numbers(arrays["x"], "x")
        missing = [name for name in _CSR_PARTS if name not in arrays]
        if missing:
            raise InputError(f"{self.path}: no array {missing[0]}; give x, or {list(_CSR_PARTS)}")
        data, indices, indptr, shape = (arrays[name] for name in _CSR_PARTS)
        try:
            matrix = scipy.sparse.csr_matrix(
                (self._numbers(data, "x_data"), indices, indptr), shape=tuple(shape.tolist())
            )
            matrix.check_format(full_check=True)
        except (ValueError, TypeError) as error:
            raise InputError(f"{self.path}: x_* is no valid CSR matrix ({error})") from error
        matrix.sum_duplicates()
        return matrix

    def _numbers(self, array: Any, name: str) -> Any:
        if array.dtype.kind not in "biuf":
            raise InputError(f"{self.path}: {name} has dtype {array.dtype}; it must be numeric")
        return array.astype(np.float32)

    def _integers(self, arrays: dict[str, Any], name: str) -> Any:
        if name not in arrays:
            raise InputError(f"{self.path}: no array {name}; it must be there")
        if arrays[name].dtype.kind not in "iu":
            raise InputError(
                f"{self.path}: {name} has dtype {arrays[name].dtype}; it must be integer"
            )
        return arrays[name].astype(np.int64)

    def _class_names(self, arrays: dict[str, Any]) -> tuple[str, ...] | None:
        if "class_names" not in arrays:
            return None
        names = arrays["class_names"]
        if names.dtype.kind != "U" or names.ndim != 1:
            raise InputError(
                f"{self.path}: class_names is {names.dtype} {names.shape}; "
                "it must hold one string a class"
            )
        return tuple(names.tolist())

    def _split(self, arrays: dict[str, Any]) -> Split | None:
        given = [name for name in MASKS if name in arrays]
        if not given:
            return None
        nodes = arrays["y"].shape
        for name in MASKS:
            if name not in arrays:
                raise InputError(f"{self.path}: {given[0]} without {name}; give all three masks")
            if arrays[name].dtype != np.bool_ or arrays[name].shape != nodes:
                raise InputError(
                    f"{self.path}: {name} is {arrays[name].dtype} {arrays[name].shape}; "
                    f"it must be bool {nodes}"
                )
        return Split.from_masks(*(arrays[name] for name in MASKS))
