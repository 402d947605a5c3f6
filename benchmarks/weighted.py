"""What weights of edges are worth on a graph where they tell, and how few bits keep that.

For each graph of ``weighted_graph.py``: GCN at full precision without the weights and with them,
and with the weights at few bits and all else at 8. Accuracies are of all test nodes, sizes of the
whole packed model with its graph.
"""

import warnings

import torch
from torch_geometric.data import Data

import sgq_auto
from report import Row, arguments, finish
from sgq_auto.library import Prepared
from sgq_auto.models import GCN
from weighted_graph import weighted_graph

_EPOCHS = 200
_SITE = "edge_weight.attention"
_BITS = (1, 2, 3, 4, 8)


def main() -> None:
    """A row for each graph."""
    options = arguments(__doc__)
    warnings.simplefilter("ignore")
    finish([_row(seed) for seed in range(1 if options.quick else 3)], options.json)


def _row(seed: int) -> Row:
    plain, data = (weighted_graph(seed, weights=weights) for weights in (False, True))
    row: Row = {
        "graph": seed,
        "unweighted": _accuracy(_fitted(plain, seed, {}), plain),
        "weighted": _accuracy(_fitted(data, seed, {}), data),
    }
    for bits in _BITS:
        found = _fitted(data, seed, {_SITE: bits})
        row[f"{bits}_bits"] = _accuracy(found, data)
        row[f"{bits}_bits_kib"] = found.footprint.resident_bytes / 1024
    return row


def _fitted(data: Data, seed: int, bits: dict[str, int]) -> Prepared:
    """GCN at full precision; or with the widths that are given, and 8 bits for all else."""
    torch.manual_seed(seed)
    model = GCN(data.num_features, int(data.y.max()) + 1)
    full = sgq_auto.prepare(model, data, "lwq_cwq", 32)
    widths = {**dict.fromkeys(full.bits, 8), **bits} if bits else full.bits
    prepared = sgq_auto.prepare(model, data, "lwq_cwq", widths)
    prepared.fit(epochs=_EPOCHS, seed=seed)
    return prepared


def _accuracy(prepared: Prepared, data: Data) -> float:
    nodes = data.test_mask
    found = prepared.logits()[nodes].argmax(dim=1)
    return float((found == data.y[nodes]).double().mean())


if __name__ == "__main__":
    main()
