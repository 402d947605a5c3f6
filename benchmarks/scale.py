"""GCN's sparse products against the machine, and a study on a graph of Reddit's size.

The products are those of a fixed adjacency with 16 features, forward and transposed. Two bounds
are measured in turns with them: what must come from memory (indices, values, operands once) or be
multiplied and added at the speed of a matrix product, and besides, one row of the dense operand
for each entry at the speed of the second-level cache. Peak memory is the sum over all processes of
the command, pages that they share counted once.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from problem import newest_summary, scratch_overrides
from report import Row, arguments, finish, interleaved, ratio, timed
from sgq_auto.compute import NumbaEngine
from sgq_auto.graphs import CsrPattern

_FEATURES = 16
_REDDIT_DEGREE = 490
_CASES = (
    (10**5, _REDDIT_DEGREE),
    (10**6, _REDDIT_DEGREE),
    (10**7, _REDDIT_DEGREE),
    (10**8, _REDDIT_DEGREE),
    (10**6, 20),
    (10**7, 20),
)


def main() -> None:
    """Measure the products, then run the study."""
    options = arguments(__doc__)
    cases = _CASES[:2] if options.quick else _CASES
    rows = [_products(edges, degree) for edges, degree in cases]
    finish(rows, options.json)
    if not options.quick:
        study = [_reddit_study()]
        print()
        finish(study, None)
        if options.json:
            options.json.write_text(json.dumps({"products": rows, "study": study}, indent=2) + "\n")


def _products(edges: int, degree: int) -> Row:
    nodes = edges // degree
    pattern = _random_pattern(nodes, degree)
    matrix = NumbaEngine().fixed_matrix(pattern, torch.rand(pattern.num_entries))
    dense = torch.rand(nodes, _FEATURES)
    entries = pattern.num_entries
    stream, near = torch.ones(50_000_000), torch.ones(65_536)
    square = torch.rand(512, 512)
    repeat = max(1, 2_000_000 // entries)

    def repeated(product: Callable[[torch.Tensor], torch.Tensor]) -> float:
        return timed(lambda: [product(dense) for _ in range(repeat)]) / repeat / entries

    sides = {
        "product": lambda: repeated(matrix.multiply),
        "transposed": lambda: repeated(matrix.multiply_transposed),
        "stream": lambda: timed(stream.sum) / stream.nbytes,
        "near": lambda: timed(lambda: [near.sum() for _ in range(100)]) / 100 / near.nbytes,
        "flop": lambda: timed(lambda: square @ square) / (2 * 512**3),
    }
    interleaved(sides, 1)
    seconds = interleaved(sides, 7)
    # Column and value of an entry, and its share of the operands, which are read or written once.
    memory_bytes = 8 + 3 * 4 * _FEATURES * nodes / entries
    bounds = [
        max(memory_bytes * s, 2 * _FEATURES * f)
        for s, f in zip(seconds["stream"], seconds["flop"], strict=True)
    ]
    gathers = [4 * _FEATURES * s for s in seconds["near"]]
    with_gather = [max(pair) for pair in zip(bounds, gathers, strict=True)]
    return {
        "edges": edges,
        "degree": degree,
        "product_ns": 1e9 * statistics.median(seconds["product"]),
        "transposed_ns": 1e9 * statistics.median(seconds["transposed"]),
        "memory_or_flop_bound_ns": 1e9 * statistics.median(bounds),
        "bound_with_gather_ns": 1e9 * statistics.median(with_gather),
        "product_over_bound": ratio(seconds["product"], with_gather),
        "transposed_over_bound": ratio(seconds["transposed"], with_gather),
    }


def _random_pattern(nodes: int, degree: int) -> CsrPattern:
    rng = np.random.default_rng(0)
    col = rng.integers(nodes, size=(nodes, degree), dtype=np.int32)
    col.sort(axis=1)
    rowptr = np.arange(nodes + 1, dtype=np.int64) * degree
    return CsrPattern.from_arrays(rowptr, col.ravel(), (nodes, nodes))


def _reddit_study() -> Row:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "sgq_auto.search", *_study_overrides(scratch)]
        start = time.perf_counter()
        process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, _session_bytes(process.pid))
            time.sleep(0.2)
        if process.returncode:
            assert process.stderr is not None
            sys.exit(process.stderr.read().decode())
        summary = newest_summary(Path(scratch))
        assert summary is not None
    return {
        "study": "synthetic_reddit, 3 trials",
        "seconds": time.perf_counter() - start,
        "peak_gib": peak / 2**30,
        "trials": summary["trials"]["complete"],
        "val_accuracy_full": summary["full_precision"]["val_accuracy"],
        "val_accuracy_front": max(point["val_accuracy"] for point in summary["front"]),
        "seconds_a_trial": 1 / summary["trials_per_second"],
    }


def _study_overrides(scratch: str) -> list[str]:
    return [
        "dataset=synthetic_reddit",
        f"data_root={scratch}",
        *scratch_overrides(scratch),
        "n_trials=3",
        "pretrain.epochs=20",
        "pretrain.learning_rate=0.05",
        "finetune.epochs=5",
        "confirm.seeds=1",
        "confirm.max_points=1",
        "confirm.refinements=0",
        "teachers=1",
    ]


def _session_bytes(session: int) -> int:
    """Memory of all processes of a session, shared pages split among those that share them."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += sum(1024 * int(li.split()[1]) for li in lines if li.startswith("Pss:"))
        except (OSError, ValueError, IndexError):
            continue  # It ended while it was being read.
    return total


if __name__ == "__main__":
    main()
