"""Columns of features in other units: what scaling them is worth, at full precision and few bits.

HumanGo has 32 measured features of much the same size. Here each column is also given in a unit
of its own, drawn from 0.001 to 1,000, with a shift of its own. ``standardize`` is the setting of
the search. Figures are average precision over labels on the test nodes, per cent, mean and
deviation over seeds: of GCN at full precision, and with 4 bits everywhere.
"""

import os
import statistics
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from report import arguments, finish, std
from several_labels import human_go
from sgq_auto.graphs import BucketSettings, Graph, prepare_graph
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.sources.pyg.data import graph_of_data
from sgq_auto.models import GCN
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import plain_state, prepare, trace_spec
from sgq_auto.settings.standardize import Standardize
from sgq_auto.training import FitSettings, fit, predict
from sgq_auto.training.metrics import score

_FIT = FitSettings(epochs=200, learning_rate=0.01, weight_decay=5e-4)


def main() -> None:
    """A row for each form of the features and each setting."""
    options = arguments(__doc__)
    data = human_go(Path(os.environ["SGQ_AUTO_DATA"]) / "HumanGo")
    seeds = range(1 if options.quick else 5)
    rows = []
    for units in (False, True):
        for wanted in (Standardize.OFF, Standardize.AUTO):
            found = [_figures(data, seed, wanted, units=units) for seed in seeds]
            full, few = zip(*found, strict=True)
            rows.append(
                {
                    "units": "drawn" if units else "as measured",
                    "standardize": wanted.value,
                    "full": statistics.fmean(full),
                    "full_std": std(full),
                    "4_bits": statistics.fmean(few),
                    "4_bits_std": std(few),
                }
            )
    finish(rows, options.json)


def _figures(data: Data, seed: int, wanted: Standardize, *, units: bool) -> tuple[float, float]:
    """The figure of full precision, and that of 4 bits."""
    if units:
        random = np.random.default_rng(seed)
        data = data.clone()
        size = 10 ** random.uniform(-3, 3, data.num_features)
        shift = size * random.normal(0, 2, data.num_features)
        data.x = (data.x.double() * torch.from_numpy(size) + torch.from_numpy(shift)).float()
    raw = graph_of_data(data, "HumanGo").for_task()
    assert raw.split is not None
    prepared = prepare_graph(
        raw, raw.split, BucketSettings(), normalize_rows=False, standardize=wanted
    )
    graph, held_out = prepared.graph, prepared.held_out
    torch.manual_seed(seed)
    plain = GCN(graph.features.num_features, graph.num_classes, hidden=64)
    full = prepare(plain, graph)
    sites = trace_spec(full, graph).sites(len(graph.bucket_nodes))
    fit(full, graph, _FIT, seed)
    plain.load_state_dict(plain_state(full, plain))
    few = prepare(plain, graph, BitAllocation.uniform(sites, 4))
    fit(few, graph, _FIT, seed)
    return _figure(full, graph, held_out), _figure(few, graph, held_out)


def _figure(model: torch.nn.Module, graph: Graph, held_out: LabelledNodes) -> float:
    outputs = predict(model, graph).index_select(0, held_out.nodes)
    return 100 * score(graph.metric, outputs, held_out.labels)


if __name__ == "__main__":
    main()
