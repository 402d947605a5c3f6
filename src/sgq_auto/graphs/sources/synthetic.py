"""Synthetic graphs of any size: a degree-corrected stochastic block model."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import IntArray, RawGraph
from sgq_auto.graphs.store import save_tensors

_CHUNK = 1 << 22
_CACHED_EDGES = 1_000_000
# Raised whenever equal arguments draw another graph than before.
_VERSION = 1


class SyntheticSource:
    """An undirected graph with power-law degrees, communities and features that follow them.

    Degree-corrected block model (Karrer and Newman 2011): every node has a propensity drawn from
    a Pareto law; an edge stays inside its community with probability ``homophily``.

    Args:
        num_nodes: Nodes.
        num_edges: Undirected edges drawn; repeated ones merge, so a few fewer result.
        num_features: Features.
        num_classes: Communities, which are the classes.
        homophily: Share of edges drawn inside a community.
        words_per_node: Words of a binary bag-of-words node; ``None`` makes dense Gaussian features.
        feature_signal: Share of a node's words (or scale of its centre) that its class decides.
        exponent: Tail exponent of the degree distribution, above 2.
        seed: Seed.
        cache: Folder that keeps drawn graphs of a million edges or more; ``None`` keeps none.
    """

    def __init__(
        self,
        num_nodes: int = 3000,
        num_edges: int = 9000,
        num_features: int = 500,
        num_classes: int = 7,
        *,
        homophily: float = 0.8,
        words_per_node: int | None = 18,
        feature_signal: float = 0.35,
        exponent: float = 2.5,
        seed: int = 0,
        cache: str | None = None,
    ) -> None:
        for name, value in (("num_nodes", num_nodes), ("num_edges", num_edges)):
            if value < 1:
                raise InputError(f"dataset.source.{name}={value}: it must be at least 1")
        if not 2 <= num_classes <= min(num_nodes, num_features):
            raise InputError(
                f"dataset.source.num_classes={num_classes}: it must lie in 2 to "
                f"{min(num_nodes, num_features)}, the fewer of nodes and features"
            )
        if not 0 <= homophily <= 1 or not 0 <= feature_signal <= 1 or exponent <= 2:
            raise InputError(
                "dataset.source: homophily and feature_signal lie in 0 to 1, exponent above 2"
            )
        self.num_nodes = num_nodes
        self.num_edges = num_edges
        self.num_features = num_features
        self.num_classes = num_classes
        self.homophily = homophily
        self.words_per_node = words_per_node
        self.feature_signal = feature_signal
        self.exponent = exponent
        self.seed = seed
        self.cache = cache

    def load(self) -> RawGraph:
        """Draw the graph, or read it from the cache; the same arguments give the same one."""
        if self.cache is None or self.num_edges < _CACHED_EDGES:
            return self._draw()
        arguments = {k: v for k, v in vars(self).items() if k != "cache"}
        key = hashlib.sha256(json.dumps([_VERSION, arguments]).encode()).hexdigest()[:16]
        path = Path(self.cache) / f"{key}.safetensors"
        cached = _read(path)
        if cached is None:
            cached = self._draw()
            # A folder that cannot be written costs drawing it again, not the run.
            with contextlib.suppress(OSError, SafetensorError):
                _write(cached, path)
        return cached

    def _draw(self) -> RawGraph:
        rng = np.random.default_rng(self.seed)
        y = np.sort(rng.integers(self.num_classes, size=self.num_nodes)).astype(np.int64)
        y[: self.num_classes] = np.arange(self.num_classes)
        y.sort()
        edges = self._edges(rng, y)
        x = self._gaussians(rng, y) if self.words_per_node is None else self._words(rng, y)
        # Classes were laid out in order for the draw; shuffle so that node ids tell nothing.
        order = rng.permutation(self.num_nodes)
        new_id = np.empty_like(order)
        new_id[order] = np.arange(self.num_nodes)
        for ends in edges:
            ends[:] = new_id[ends]
        return RawGraph("synthetic", x[order], edges, y[order])

    def _edges(self, rng: np.random.Generator, y: IntArray) -> Any:
        """``int32 [2, E]``, drawn in chunks: the memory beside the result is small."""
        cumulative = np.cumsum(rng.pareto(self.exponent - 1, self.num_nodes) + 1)
        starts = np.concatenate(([0], cumulative[np.searchsorted(y, np.arange(1, y[-1] + 1)) - 1]))
        ends = np.append(starts[1:], cumulative[-1])
        edges = np.empty((2, 2 * self.num_edges), np.int32)
        filled = 0
        for first in range(0, self.num_edges, _CHUNK):
            count = min(_CHUNK, self.num_edges - first)
            source = np.searchsorted(cumulative, rng.random(count) * cumulative[-1])
            inside = rng.random(count) < self.homophily
            low = np.where(inside, starts[y[source]], 0.0)
            high = np.where(inside, ends[y[source]], cumulative[-1])
            drawn = low + rng.random(count) * (high - low)
            target = np.minimum(np.searchsorted(cumulative, drawn), self.num_nodes - 1)
            kept = source != target
            pair = np.stack([source[kept], target[kept]])
            both = np.concatenate([pair, pair[::-1]], axis=1)
            edges[:, filled : filled + both.shape[1]] = both
            filled += both.shape[1]
        return edges[:, :filled]

    def _words(self, rng: np.random.Generator, y: IntArray) -> Any:
        words = self.words_per_node or 0
        own = self.num_features // self.num_classes
        topical = rng.random((self.num_nodes, words)) < self.feature_signal
        any_word = rng.integers(self.num_features, size=(self.num_nodes, words))
        own_word = y[:, None] * own + rng.integers(own, size=(self.num_nodes, words))
        columns = np.where(topical, own_word, any_word).ravel()
        rows = np.repeat(np.arange(self.num_nodes), words)
        ones = np.ones(columns.size, dtype=np.bool_)
        shape = (self.num_nodes, self.num_features)
        return scipy.sparse.coo_matrix((ones, (rows, columns)), shape=shape).tocsr()

    def _gaussians(self, rng: np.random.Generator, y: IntArray) -> Any:
        centres = rng.standard_normal((self.num_classes, self.num_features), dtype=np.float32)
        noise = rng.standard_normal((self.num_nodes, self.num_features), dtype=np.float32)
        return np.float32(self.feature_signal) * centres[y] + noise


def _write(graph: RawGraph, path: Path) -> None:
    x: Any = graph.x
    arrays: dict[str, Any] = {"edge_index": graph.edge_index, "y": graph.y}
    if scipy.sparse.issparse(x):
        shape = np.array(x.shape)
        arrays |= {"x.data": x.data, "x.indices": x.indices, "x.indptr": x.indptr, "x.shape": shape}
    else:
        arrays["x"] = x
    save_tensors({name: torch.from_numpy(array) for name, array in arrays.items()}, path)


def _read(path: Path) -> RawGraph | None:
    """A cached graph; ``None`` where there is none or it is damaged."""
    try:
        arrays = load_file(path)
        if "x" in arrays:
            return RawGraph("synthetic", arrays["x"], arrays["edge_index"], arrays["y"])
        parts = (arrays["x.data"], arrays["x.indices"], arrays["x.indptr"])
        x = scipy.sparse.csr_matrix(parts, shape=tuple(arrays["x.shape"]))
        return RawGraph("synthetic", x, arrays["edge_index"], arrays["y"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
