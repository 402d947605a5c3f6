"""Packed models of several architectures against PyG: the time to predict all nodes.

Every site has 4 bits. ``residual_gcn`` has three layers, batch norms and a residual; the others are
the tool's own models. Both sides have the same weights and one thread. Times are of the processor,
medians of turns in one process; ratios are medians of those within a turn.
"""

import os
import statistics

# One thread a side: torch is told by the arguments, numpy before it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch
from torch import nn

from problem import load_problem
from report import Row, arguments, finish, interleaved, processor_time, ratio
from residual_gcn import ResidualGCN
from sgq_auto.graphs import Graph
from sgq_auto.models import GAT, GCN, GIN, SAGE
from uniform_model import uniform_model

_REPETITIONS = 21
_GRAPHS = ("cora", "pubmed", "amazon_computers")
_MODELS: dict[str, type[nn.Module]] = {
    "gcn": GCN,
    "residual_gcn": ResidualGCN,
    "sage": SAGE,
    "gin": GIN,
    "gat": GAT,
}


def main() -> None:
    """Measure every graph and model."""
    options = arguments(__doc__)
    graphs, models = (_GRAPHS[:1], ["gcn"]) if options.quick else (_GRAPHS, list(_MODELS))
    rows = []
    for name in graphs:
        graph = load_problem(f"dataset={name}").data.graph
        for model in models:
            rows.append({"graph": name, "model": model} | _measure(graph, _MODELS[model]))
    finish(rows, options.json)


def _measure(graph: Graph, kind: type[nn.Module]) -> Row:
    plain = kind(graph.features.num_features, graph.num_classes).eval()
    packed = uniform_model(plain, graph)
    x, edge_index = graph.features.dense(), graph.edge_index()
    sides = {
        "pyg": lambda: processor_time(lambda: plain(x, edge_index)),
        "packed": lambda: processor_time(packed.predict),
    }
    with torch.no_grad():
        interleaved(sides, 2)
        seconds = interleaved(sides, _REPETITIONS)
    return {
        "pyg_ms": 1e3 * statistics.median(seconds["pyg"]),
        "packed_ms": 1e3 * statistics.median(seconds["packed"]),
        "packed/pyg": ratio(seconds["packed"], seconds["pyg"]),
    }


if __name__ == "__main__":
    main()
