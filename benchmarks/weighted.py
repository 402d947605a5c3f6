"""What weights of edges are worth on a graph where they tell, and how few bits keep that.

For each graph of ``weighted_graph.py``: GCN at full precision without the weights and with them,
GCN with the weights at few bits and all else at 8, and what a search of 40 trials recommends.
Accuracies are of all test nodes.
"""

import tempfile
import warnings
from pathlib import Path

import torch
from torch_geometric.data import Data

import sgq_auto
from report import Row, arguments, finish
from sgq_auto.models import GCN
from sgq_auto.packed import load
from weighted_graph import weighted_graph

_EPOCHS, _TRIALS = 200, 40
_SITE = "edge_weight.attention"
_BITS = (1, 2, 3, 4)


def main() -> None:
    """A row for each graph."""
    options = arguments(__doc__)
    warnings.simplefilter("ignore")
    finish([_row(seed) for seed in range(1 if options.quick else 3)], options.json)


def _row(seed: int) -> Row:
    plain, data = (weighted_graph(seed, weights=weights) for weights in (False, True))
    row: Row = {"graph": seed, "unweighted": _fitted(plain, seed), "weighted": _fitted(data, seed)}
    row |= {f"{bits}_bits": _fitted(data, seed, bits) for bits in _BITS}
    with tempfile.TemporaryDirectory() as folder:
        return row | _searched(data, seed, Path(folder))


def _fitted(data: Data, seed: int, bits: int | None = None) -> float:
    """Test accuracy of GCN at full precision; or all at 8 bits, and the weights at ``bits``."""
    torch.manual_seed(seed)
    model = GCN(data.num_features, int(data.y.max()) + 1)
    widths: dict[str, int] | int = 32
    if bits is not None:
        groups = sgq_auto.prepare(model, data, "lwq_cwq", 32).bits
        widths = {name: bits if name == _SITE else 8 for name in groups}
    prepared = sgq_auto.prepare(model, data, "lwq_cwq", widths)
    prepared.fit(epochs=_EPOCHS, seed=seed)
    return _accuracy(prepared.logits(), data)


def _searched(data: Data, seed: int, folder: Path) -> Row:
    """What the search recommends, and how many bits it gives the weights."""
    found = sgq_auto.search(GCN, data, n_trials=_TRIALS, seed=seed, output_root=folder)
    best = found.summary["recommended"]
    if best is None or found.artifact is None:
        return {"recommended": None, "weight_bits": None, "drop": None, "kib": None, "ratio": None}
    model = load(found.artifact)
    bits = [b for site, b in model.allocation.by_name().items() if site.startswith(_SITE)]
    return {
        "recommended": _accuracy(torch.from_numpy(model.predict()), data),
        "weight_bits": max(bits),
        "drop": best["test_accuracy_drop"],
        "kib": model.footprint().resident_bytes / 1024,
        "ratio": model.footprints.full_precision().resident_bytes
        / model.footprint().resident_bytes,
    }


def _accuracy(logits: torch.Tensor, data: Data) -> float:
    nodes = data.test_mask
    return float((logits[nodes].argmax(dim=1) == data.y[nodes]).double().mean())


if __name__ == "__main__":
    main()
