"""Prepared graphs on disk: how a study hands its graph to its workers (safetensors, no pickle)."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from sgq_auto.engines import engine_for
from sgq_auto.graphs.csr import CsrPattern
from sgq_auto.graphs.features import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.graph import Graph, LabelledNodes
from sgq_auto.packed.whole_file import whole_file

_PATTERN_FIELDS = ("rowptr", "col")


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
        "sparse": isinstance(graph.features, SparseFeatures),
    }
    save_tensors(tensors, path, {"graph": json.dumps(header)})


def load_graph(path: Path) -> Graph:
    """Read a graph that :func:`save_graph` wrote; its tensors are mapped, not copied."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["graph"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    num_nodes = sum(header["bucket_nodes"])
    # Files from before classes had names do not have the entry.
    class_names = header.get("class_names")
    return Graph(
        name=header["name"],
        features=_features(header, tensors, num_nodes),
        adj_t=_pattern(tensors, "adj_t", (num_nodes, num_nodes)),
        bucket_nodes=tuple(header["bucket_nodes"]),
        split_points=tuple(header["split_points"]),
        train=_labels(tensors, "train"),
        val=_labels(tensors, "val"),
        num_classes=header["num_classes"],
        node_order=tensors["node_order"],
        class_names=None if class_names is None else tuple(class_names),
        bucket_rows=tensors.get("bucket_rows"),
    )


def save_labels(labels: LabelledNodes, path: Path) -> None:
    """Write labelled nodes: the held-out ones go to a file of their own."""
    save_tensors(_label_tensors("labels", labels), path)


def load_labels(path: Path) -> LabelledNodes:
    """Read what :func:`save_labels` wrote."""
    with safe_open(path, framework="pt") as file:
        return _labels({name: file.get_tensor(name) for name in file.keys()}, "labels")  # noqa: SIM118


def save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors to a safetensors file, whole or not at all."""
    with whole_file(path) as scratch:
        save_file({k: v.contiguous() for k, v in tensors.items()}, scratch, metadata)


def _label_tensors(prefix: str, labels: LabelledNodes) -> dict[str, Tensor]:
    return {f"{prefix}.nodes": labels.nodes, f"{prefix}.labels": labels.labels}


def _labels(tensors: dict[str, Tensor], prefix: str) -> LabelledNodes:
    return LabelledNodes(tensors[f"{prefix}.nodes"], tensors[f"{prefix}.labels"])


def _pattern_tensors(prefix: str, pattern: CsrPattern) -> dict[str, Tensor]:
    return {f"{prefix}.{field}": getattr(pattern, field) for field in _PATTERN_FIELDS}


def _pattern(tensors: dict[str, Tensor], prefix: str, shape: tuple[int, int]) -> CsrPattern:
    rowptr, col = (tensors[f"{prefix}.{field}"] for field in _PATTERN_FIELDS)
    return CsrPattern(rowptr, col, shape, engine_for("cpu"))


def _features(header: dict[str, Any], tensors: dict[str, Tensor], num_nodes: int) -> Features:
    values = tensors["features.values"]
    counts = tuple(header["bucket_values"])
    normalize = bool(header["normalize_rows"])
    if not header["sparse"]:
        return DenseFeatures(values, counts, normalize)
    shape = (num_nodes, int(header["num_features"]))
    return SparseFeatures(_pattern(tensors, "features", shape), values, counts, normalize)
