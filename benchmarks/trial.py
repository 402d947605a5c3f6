"""One fine-tuning epoch against the peer's and against full precision on the same engine.

Every allocation is uniform 4 bits. ``residual_gcn`` has three
layers, batch norms and a residual. Both sides train the same model from the same weights with the
same loss, schedule and dropout probabilities, one thread each.
"""

import copy
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace

from plain import fit_plain, prepare_plain
from problem import load_problem
from report import Row, arguments, finish, interleaved, ratio
from sgq_auto.quantize import prepare
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.training import fit

_FOUR_BITS = 3  # Its place on the default ladder.
_RESIDUAL = "residual_gcn"
_CASES = (
    ("cora", "gcn", True),
    ("cora", "gcn", False),
    ("citeseer", "gcn", True),
    ("pubmed", "gcn", True),
    ("amazon_computers", "gcn", True),
    ("cora", "gat", True),
    ("cora", "agnn", True),
    ("amazon_computers", "gat", True),
    ("amazon_computers", "agnn", True),
    ("cora", _RESIDUAL, True),
    ("pubmed", _RESIDUAL, True),
)
# Epochs of the peer that take a second or two; ours do as many, and more where they are short.
_EPOCHS = {"cora": 20, "citeseer": 8, "pubmed": 6, "amazon_computers": 3}


def main() -> None:
    """Measure every case."""
    options = arguments(__doc__)
    repetitions, cases = (1, _CASES[:1]) if options.quick else (5, _CASES)
    with tempfile.TemporaryDirectory() as scratch:
        rows = [_measure(*case, repetitions, scratch) for case in cases]
    finish(rows, options.json)


def _measure(dataset: str, model: str, dropout: bool, repetitions: int, scratch: str) -> Row:
    overrides = [] if dropout else ["model.dropout=0.0"]
    if model == _RESIDUAL:
        overrides += [f"model._target_={_RESIDUAL}.ResidualGCN"]
    known = "gcn" if model == _RESIDUAL else model
    problem = load_problem(
        f"dataset={dataset}", f"model={known}", f"output_root={scratch}", *overrides
    )
    bench = problem.workbench()
    epochs = _EPOCHS[dataset]
    peer, quantized, full = _sides(bench, epochs)
    sides = {"peer": peer, "quantized": quantized, "full": full}
    interleaved(sides, 1)  # Compiles, and warms caches.
    seconds = interleaved(sides, repetitions)
    return {
        "dataset": dataset,
        "model": model,
        "dropout": dropout,
        "peer_ms": 1000 * statistics.median(seconds["peer"]),
        "ours_ms": 1000 * statistics.median(seconds["quantized"]),
        "full_precision_ms": 1000 * statistics.median(seconds["full"]),
        "speedup": ratio(seconds["peer"], seconds["quantized"]),
        "quantized_to_full": ratio(seconds["quantized"], seconds["full"]),
    }


def _sides(bench: Workbench, epochs: int) -> tuple[Callable[[], float], ...]:
    """Seconds an epoch of the peer, of ours, and of ours at full precision."""
    graph, source, teacher = bench.graph, bench.pretrained.model, bench.teacher
    settings = replace(bench.settings.finetune, epochs=epochs, evaluate_every=epochs)
    more = replace(settings, epochs=5 * epochs, evaluate_every=5 * epochs)
    allocation = bench.space.allocation(dict.fromkeys(bench.space.searched, _FOUR_BITS))
    plain = prepare_plain(copy.deepcopy(source), graph, allocation)
    quantized = prepare(source, graph, allocation)
    full = prepare(source, graph)
    return (
        lambda: fit_plain(plain, graph, settings, 0, teacher).seconds / settings.epochs,
        lambda: fit(quantized, graph, more, 0, teacher).seconds / more.epochs,
        lambda: fit(full, graph, more, 0, teacher).seconds / more.epochs,
    )


if __name__ == "__main__":
    main()
