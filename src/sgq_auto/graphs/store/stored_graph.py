"""Prepared graphs on disk: how a study hands its graph to its workers (safetensors, no pickle)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sgq_auto.compute import engine_for
from sgq_auto.errors import InputError
from sgq_auto.files.atomic_file import whole_file
from sgq_auto.graphs.csr_products import CsrPattern
from sgq_auto.graphs.feature_matrix import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.labels.target_scale import TargetScale
from sgq_auto.graphs.prepared_graph import Graph
from sgq_auto.graphs.store.stored_graph_checks import (
    check_bucket_values,
    check_graph,
    check_header,
    check_pattern,
    check_permutation,
    check_values,
    check_weights,
    checked_scaling,
)
from sgq_auto.graphs.store.stored_label_checks import check_disjoint, check_labels
from sgq_auto.graphs.store.unsound import UnsoundError
from sgq_auto.task import Metric, Task

_PATTERN_FIELDS = ("rowptr", "col")
# Only in files of graphs whose edges have weights.
_WEIGHTS = "adj_t.weights"
# Only in files of graphs that are several.
_GRAPHS = "graph_of_node"
# Labels that no graph is at hand for.
_ANY = 1 << 62


def save_graph(graph: Graph, path: Path) -> None:
    """Write a prepared graph; the file holds no test label."""
    tensors = {
        "features.values": graph.features.values,
        "node_order": graph.node_order,
        **_label_tensors("train", graph.train),
        **_label_tensors("val", graph.val),
        **_pattern_tensors("adj_t", graph.adj_t),
    }
    if graph.bucket_rows is not None:
        tensors["bucket_rows"] = graph.bucket_rows
    if graph.adj_t.weights is not None:
        tensors[_WEIGHTS] = graph.adj_t.weights
    if graph.graph_of_node is not None:
        tensors[_GRAPHS] = graph.graph_of_node
    if isinstance(graph.features, SparseFeatures):
        tensors |= _pattern_tensors("features", graph.features.pattern)
    header = {
        "name": graph.name,
        "bucket_nodes": graph.bucket_nodes,
        "split_points": graph.split_points,
        "num_classes": graph.num_classes,
        "class_names": graph.class_names,
        "bucket_values": graph.features.bucket_values,
        "num_features": graph.features.num_features,
        "normalize_rows": graph.features.normalize_rows,
        "scaling": None if graph.features.scaling is None else asdict(graph.features.scaling),
        "sparse": isinstance(graph.features, SparseFeatures),
        **_task_entries(graph),
    }
    save_tensors(tensors, path, {"graph": json.dumps(header)})


def load_graph(path: Path, *, labelled: bool = True) -> Graph:
    """Read a graph that :func:`save_graph` wrote; its tensors are mapped, not copied.

    Whatever is wrong with it is found here: kernels trust a graph's indices.

    Args:
        path: The file.
        labelled: Whether it must have training and validation labels, or none of either.

    Raises:
        InputError: If the file is damaged, or no graph of these; one line that names it.
        OSError: If it cannot be read.
    """
    with _naming(path):
        metadata, tensors = _read(path)
        header = json.loads(metadata["graph"])
        check_header(header)
        num_nodes = sum(header["bucket_nodes"])
        # Files from before classes had names do not have the entry.
        class_names = header.get("class_names")
        bucket_rows = tensors.get("bucket_rows")
        if bucket_rows is not None:
            check_permutation(bucket_rows, "bucket_rows", num_nodes)
        graph = Graph(
            name=header["name"],
            features=_features(header, tensors, num_nodes, bucket_rows),
            adj_t=_adjacency(tensors, num_nodes),
            bucket_nodes=tuple(header["bucket_nodes"]),
            split_points=tuple(header["split_points"]),
            train=_labels(tensors, "train"),
            val=_labels(tensors, "val"),
            num_classes=header["num_classes"],
            node_order=tensors["node_order"],
            class_names=None if class_names is None else tuple(class_names),
            bucket_rows=bucket_rows,
            graph_of_node=tensors.get(_GRAPHS),
            **_task(header),
        )
        check_graph(graph, labelled=labelled)
        return graph


def save_labels(labels: LabelledNodes, path: Path) -> None:
    """Write labelled nodes: the held-out ones go to a file of their own."""
    save_tensors(_label_tensors("labels", labels), path)


def load_labels(path: Path, graph: Graph | None = None) -> LabelledNodes:
    """Read what :func:`save_labels` wrote.

    Args:
        path: The file.
        graph: The graph whose nodes (or graphs) they are of, which they are checked against.

    Raises:
        InputError: If the file is damaged, or its nodes or classes are not the graph's.
        OSError: If it cannot be read.
    """
    with _naming(path):
        labels = _labels(_read(path)[1], "labels")
        rows, classes = (graph.num_outputs, graph.num_classes) if graph else (_ANY, _ANY)
        check_labels(labels, "labels", rows, classes, graph.task if graph else None)
        if graph is not None:
            parts = {"train": graph.train, "val": graph.val, "labels": labels}
            cpu = torch.device("cpu")
            check_disjoint({name: part.to(cpu) for name, part in parts.items()}, rows)
        return labels


def save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors to a safetensors file, whole or not at all.

    Raises:
        OSError: If it cannot be written, as on a full disk.
    """
    with whole_file(path) as scratch:
        save_file({k: v.contiguous() for k, v in tensors.items()}, scratch, metadata)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a safetensors file."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what damaged or forged files raise into one line that names the file."""
    try:
        yield
    except UnsoundError as error:
        raise InputError(f"{path}: {error}") from error
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: it is damaged, or no file of a study ({_reason(error)})"
        ) from error


def _task_entries(graph: Graph) -> dict[str, Any]:
    """What a header says of another task than the accuracy of classes."""
    if (graph.task, graph.metric) == (Task.NODE_CLASSIFICATION, Metric.ACCURACY):
        return {}
    scale = None if graph.target_scale is None else asdict(graph.target_scale)
    return {"task": graph.task, "metric": graph.metric, "target_scale": scale}


def _task(header: dict[str, Any]) -> dict[str, Any]:
    """The task of a checked header; files from before there were others do not have the entry."""
    if "task" not in header:
        return {}
    scale = header.get("target_scale")
    held = None if scale is None else TargetScale(tuple(scale["mean"]), tuple(scale["std"]))
    return {
        "task": Task(header["task"]),
        "metric": Metric(header["metric"]),
        "target_scale": held,
    }


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _label_tensors(prefix: str, labels: LabelledNodes) -> dict[str, Tensor]:
    return {f"{prefix}.nodes": labels.nodes, f"{prefix}.labels": labels.labels}


def _labels(tensors: dict[str, Tensor], prefix: str) -> LabelledNodes:
    return LabelledNodes(tensors[f"{prefix}.nodes"], tensors[f"{prefix}.labels"])


def _pattern_tensors(prefix: str, pattern: CsrPattern) -> dict[str, Tensor]:
    return {f"{prefix}.{field}": getattr(pattern, field) for field in _PATTERN_FIELDS}


def _pattern(tensors: dict[str, Tensor], prefix: str, shape: tuple[int, int]) -> CsrPattern:
    rowptr, col = (tensors[f"{prefix}.{field}"] for field in _PATTERN_FIELDS)
    check_pattern(rowptr, col, shape, prefix)
    return CsrPattern(rowptr, col, shape, engine_for("cpu"))


def _adjacency(tensors: dict[str, Tensor], num_nodes: int) -> CsrPattern:
    pattern, weights = _pattern(tensors, "adj_t", (num_nodes, num_nodes)), tensors.get(_WEIGHTS)
    if weights is None:
        return pattern
    check_weights(weights, pattern.row, pattern.col)
    return replace(pattern, weights=weights)


def _features(
    header: dict[str, Any], tensors: dict[str, Tensor], num_nodes: int, bucket_rows: Tensor | None
) -> Features:
    values = tensors["features.values"]
    counts, nodes = tuple(header["bucket_values"]), tuple(header["bucket_nodes"])
    normalize, shape = header["normalize_rows"], (num_nodes, header["num_features"])
    scaling = checked_scaling(header)
    if not header["sparse"]:
        check_values(values, shape)
        check_bucket_values(counts, nodes)
        return DenseFeatures(values, counts, normalize, scaling)
    pattern = _pattern(tensors, "features", shape)
    check_values(values, (pattern.num_entries,))
    check_bucket_values(counts, nodes, pattern.rowptr, bucket_rows)
    return SparseFeatures(pattern, values, counts, normalize, scaling)
