"""The next value on a fixed graph: chickenpox in 20 counties, bicycle orders in 15 places.

The last four values of each node predict the next one (Rozemberczki et al. 2021, "PyTorch
Geometric Temporal"). The first 80 % of the times train, of which the last eighth validates; the
others are tested. Drops are per cent of the mean absolute error of full precision, of the one model
that is shipped. Speed is that of the packed model on one core: ``together`` gives all tested times
in one call, ``one_by_one`` a call each; the median of several repetitions.

Needs ``SGQ_AUTO_DATA``, a folder with ``Temporal/`` in it.
"""

import json
import os
import statistics
import warnings
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from report import Row, arguments, finish, timed
from sgq_auto.models import GCN, SAGE
from sgq_auto.packed import load
from shipped_model import searched, shipped_row

# Files, and the key of their values by time and node.
_SERIES = {"chickenpox": "FX", "pedalme_london": "X"}
_MODELS = {"GCN": GCN, "SAGE": SAGE}
_BACK = 4
_REPETITIONS = 20


def main() -> None:
    """A row for each series and model."""
    options = arguments(__doc__)
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SGQ_AUTO_DATA"]) / "Temporal"
    pairs = [(series, model) for series in _SERIES for model in _MODELS]
    rows = [_row(folder, *pair, quick=options.quick) for pair in pairs[: 1 if options.quick else 4]]
    finish(rows, options.json)


def snapshots(path: Path, key: str) -> list[Data]:
    """A graph for each time: the values before it, and those to predict."""
    held = json.loads(path.read_text())
    values = torch.tensor(held[key], dtype=torch.float32)
    edge_index = torch.tensor(held["edges"]).T
    weights = held.get("weights")
    made = []
    for now in range(_BACK, len(values)):
        data = Data(x=values[now - _BACK : now].T.contiguous(), y=values[now][:, None])
        data.edge_index = edge_index
        if weights is not None:
            data.edge_weight = torch.tensor(weights, dtype=torch.float32)
        made.append(data)
    trained, seen = round(0.7 * len(made)), round(0.8 * len(made))
    for number, data in enumerate(made):
        parts = (number < trained, trained <= number < seen, number >= seen)
        for name, inside in zip(("train", "val", "test"), parts, strict=True):
            data[f"{name}_mask"] = torch.full((data.num_nodes,), inside)
    return made


def _row(folder: Path, series: str, model: str, *, quick: bool) -> Row:
    graphs = snapshots(folder / f"{series}.json", _SERIES[series])
    if model == "SAGE":
        for data in graphs:
            data.edge_weight = None  # Its layers read none.
    judged = {"metric": "neg_mae", "tolerance": 1.0}
    with searched(_MODELS[model], graphs, 32, quick=quick, **judged) as found:
        row: Row = {"series": series, "model": model} | shipped_row(found.summary)
        return row | ({} if found.artifact is None else _speed(found.artifact, graphs))


def _speed(artifact: Path, graphs: list[Data]) -> Row:
    """Times that are predicted in a second."""
    packed = load(artifact)
    tested = np.stack([data.x.numpy() for data in graphs if bool(data.test_mask[0])])
    ways = {
        "together_per_second": lambda: packed.predict(x=tested),
        "one_by_one_per_second": lambda: [packed.predict(x=each) for each in tested],
    }
    for way in ways.values():
        way()
    return {
        name: len(tested) / statistics.median(timed(way) for _ in range(_REPETITIONS))
        for name, way in ways.items()
    }


if __name__ == "__main__":
    main()
