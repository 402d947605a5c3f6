"""Predicting some nodes against all of them, by the packed runtime with kernels.

One node, ten nodes, all nodes, and a node that joins the graph with the call (``x=``,
``edge_index=``), of GCN and GAT at uniform 4 bits, one thread. Times are medians of turns in one
process; other nodes are asked for in every turn. Ratios are medians of those within a turn.
"""

import os
import statistics
import tempfile
from pathlib import Path

# One thread a side: torch is told by the arguments, numpy before it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from torch import nn

from problem import load_problem
from report import Row, arguments, finish, interleaved, ratio, timed
from sgq_auto.graphs import Graph
from sgq_auto.models import GAT, GCN
from sgq_auto.packed import PackedModel, load, save
from uniform_model import uniform_model

_REPETITIONS = 41
_MODELS: dict[str, type[nn.Module]] = {"gcn": GCN, "gat": GAT}


def main() -> None:
    """Measure every graph and model."""
    options = arguments(__doc__)
    finish(rows_of(["cora"] if options.quick else ["cora", "pubmed"]), options.json)


def rows_of(names: list[str]) -> list[Row]:
    """A row for each graph and model."""
    rows = []
    for name in names:
        graph = load_problem(f"dataset={name}").data.graph
        for model, kind in _MODELS.items():
            rows.append({"graph": name, "model": model} | _measure(graph, kind))
    return rows


def _measure(graph: Graph, kind: type[nn.Module]) -> Row:
    packed = _packed(graph, kind)
    random = np.random.default_rng(0)
    x, edge_index = _with_a_new_node(graph)
    new = [x.shape[0] - 1]
    draws = {"one": 1, "ten": 10}
    sides = {
        name: lambda n=n: timed(lambda: packed.predict(random.integers(0, packed.num_nodes, n)))
        for name, n in draws.items()
    }
    sides["all"] = lambda: timed(packed.predict)
    sides["new"] = lambda: timed(lambda: packed.predict(new, x=x, edge_index=edge_index))
    sides["new, all"] = lambda: timed(lambda: packed.predict(x=x, edge_index=edge_index))
    interleaved(sides, 2)
    seconds = interleaved(sides, _REPETITIONS)
    row: Row = {f"{name}_ms": 1e3 * statistics.median(taken) for name, taken in seconds.items()}
    return row | {
        f"{name}/all": ratio(seconds[name], seconds["all"]) for name in ("one", "ten", "new")
    }


def _packed(graph: Graph, kind: type[nn.Module]) -> PackedModel:
    plain = kind(graph.features.num_features, graph.num_classes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save(uniform_model(plain, graph), path)
        return load(path)


def _with_a_new_node(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """The graph and one more node, with the features of the first and three neighbours."""
    x, edges = graph.features.dense().numpy(), graph.edge_index().numpy()
    node = x.shape[0]
    joined = np.array([[node] * 3 + [0, 1, 2], [0, 1, 2] + [node] * 3])
    return np.concatenate([x, x[:1]]), np.concatenate([edges, joined], axis=1)


if __name__ == "__main__":
    main()
