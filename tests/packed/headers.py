"""Artifacts from headers alone: whatever a header may say, with tensors of the right shapes."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from sgq_auto.packed.artifact.artifact_file import _checksum, header
from sgq_auto.packed.artifact.tensor_shapes import expected_tensors
from sgq_auto.packed.runtime.graphs.packed_graph import graph_of, stored_edge_code
from sgq_auto.packed.runtime.layers.layer_kinds import KINDS

TYPES = {"U8": np.uint8, "F32": np.float32}


def linear(
    name: str, width: int, out: int, *, bits: int = 1, first: bool = False
) -> dict[str, Any]:
    own = {"weight": bits} | ({} if first else {"embedding": [1]})
    sizes = {"kind": "linear", "name": name, "in": width, "out": out}
    return sizes | {"activation": "none", "bias": False, "bits": own}


def header_of(nodes: int, layers: list[dict[str, Any]], **features: Any) -> dict[str, Any]:
    """A header of a graph without edges, whose features take no byte."""
    graph = {
        "bucket_nodes": [nodes],
        "bucket_in_edges": [nodes],
        "bucket_out_edges": [nodes],
        "max_in_degree": 0,
        "symmetric": False,
        "split_points": [],
    }
    width = layers[0]["in"]
    stored = {"num_features": width, "dense": True, "bucket_values": [nodes * width]}
    stored |= {"bucket_constant": [True], "normalize_rows": False, "bits": [1]}
    classes = [f"c{k}" for k in range(layers[-1]["out"])]
    parts = {"graph": graph, "features": stored | features, "layers": layers}
    return {"version": 2, **parts, "classes": classes, "source": {}}


def as_program(root: dict[str, Any]) -> dict[str, Any]:
    """A header of version 3 of the same chain; each layer reads its own input once more."""
    names = [layer["name"] for layer in root["layers"]]
    buffers = [*(f"{name}.input" for name in names[1:]), None]
    stages = [
        {"layer": name, "operations": [], "outputs": [{"value": 0, "buffer": buffer}]}
        for name, buffer in zip(names, buffers, strict=True)
    ]
    for layer, stage in zip(root["layers"], stages, strict=True):
        if KINDS[layer["kind"]].further_inputs:
            stage["further"] = [f"{layer['name']}.input"]
    return {**root, "version": 3, "skips": {}, "stages": stages}


def with_edges(root: dict[str, Any], pattern: np.ndarray) -> dict[str, np.ndarray]:
    """Let a header count the edges of a pattern ``[nodes, nodes]``; their tensors."""
    degrees, nodes = pattern.sum(axis=1), pattern.shape[0]
    graph = graph_of(np.flatnonzero(pattern), np.zeros(nodes, int), degrees, (), nodes)
    counts = {"bucket_in_edges": graph.spec.bucket_in_edges}
    counts["bucket_out_edges"] = graph.spec.bucket_out_edges
    root["graph"] |= {**counts, "max_in_degree": graph.spec.max_in_degree}
    high, low = stored_edge_code(graph)
    return {name: code for name, code in (("edges.high", high), ("edges.low", low)) if code.size}


def with_edge_values(root: dict[str, Any], columns: int, bits: int = 3) -> None:
    """Let a header say that edges have so many numbers each."""
    graph = root["graph"]
    both = zip(graph["bucket_in_edges"], graph["bucket_nodes"], strict=True)
    stored = [edges - nodes for edges, nodes in both]
    own = {"symmetric": False, "stored": stored, "bits": [bits] * len(stored)}
    root["edge_weights"] = own | {"columns": columns}


def written(root: dict[str, Any], path: Path, edges: dict[str, np.ndarray] | None = None) -> Path:
    """The artifact of a header: random codes and vectors, steps of 0.1, averages of 1.5."""
    text, random = json.dumps(root), np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {}
    for name, (kind, shape) in expected_tensors(header.parse(text)).items():
        if kind == "U8":
            tensors[name] = random.integers(0, 256, shape).astype(np.uint8)
        else:
            tensors[name] = random.normal(size=shape).astype(np.float32)
        if name.endswith(".degree_averages"):
            tensors[name][:] = 1.5
        if name.endswith(".scales"):
            tensors[name][:] = (0.1, -0.1)
        elif kind == "U8" and name != "edges.high":  # No fp32 value that is NaN.
            tensors[name] &= 0x3F
    tensors |= edges or {}
    save_file(tensors, path, {"sgq_auto": text, "sha256": _checksum(text, tensors)})
    return path


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that Python and numpy held for it at one moment."""
    tracemalloc.start()
    try:
        work()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak
