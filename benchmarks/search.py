"""Whole searches against the peer's: trials a second, overhead, and what a second worker brings.

Ours is the real command with tracking on, 100 trials of GCN on Cora, in a fresh folder each time;
its rate counts from the start of its workers. The peer's rate is taken over a few of its trials,
after one that warms it up, with MLflow's fluent API writing to a fresh SQLite store.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import optuna

from plain import search_plain
from problem import load_problem, summary_of_search
from report import Row, arguments, finish, interleaved, ratio, timed

_TRIALS, _PEER_TRIALS = 100, 4


def main() -> None:
    """Measure one worker, two workers and the peer in turns."""
    options = arguments(__doc__)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials, repetitions = (8, 1) if options.quick else (_TRIALS, 5)
    summaries: dict[int, list[dict[str, Any]]] = {1: [], 2: []}

    def ours(workers: int) -> float:
        overrides = ("dataset=cora", f"n_trials={trials}", f"workers={workers}")
        few = ("confirm.seeds=1", "confirm.max_points=1")
        summaries[workers].append(summary_of_search(*overrides, *few))
        return 1 / float(summaries[workers][-1]["trials_per_second"])

    sides = {"1": lambda: ours(1), "2": lambda: ours(2), "peer": _peer}
    seconds = interleaved(sides, repetitions)
    finish(_rows(seconds, summaries), options.json)


def _peer() -> float:
    """Seconds a trial."""
    with tempfile.TemporaryDirectory() as scratch:
        mlflow.set_tracking_uri(f"sqlite:///{scratch}/mlflow.db")
        mlflow.create_experiment("peer", artifact_location=Path(scratch, "artifacts").as_uri())
        mlflow.set_experiment("peer")
        bench = load_problem("dataset=cora", f"output_root={scratch}/outputs").workbench()
        search_plain(bench, 1)
        return timed(lambda: search_plain(bench, _PEER_TRIALS)) / _PEER_TRIALS


def _rows(seconds: dict[str, list[float]], summaries: dict[int, list[dict[str, Any]]]) -> list[Row]:
    rows: list[Row] = [
        {
            "side": f"{workers} worker{'s' if workers > 1 else ''}",
            "trials_per_second": statistics.median(1 / s for s in seconds[str(workers)]),
            "over_peer": ratio(seconds["peer"], seconds[str(workers)]),
            "over_one_worker": ratio(seconds["1"], seconds[str(workers)]),
            "overhead": statistics.median(s["overhead_fraction"] for s in runs),
            "hypervolume": statistics.median(s["hypervolume"] for s in runs),
        }
        for workers, runs in summaries.items()
    ]
    peer = statistics.median(1 / s for s in seconds["peer"])
    return [*rows, {"side": "peer", "trials_per_second": peer, "over_peer": 1.0}]


if __name__ == "__main__":
    main()
