"""What the benchmarks share: interleaved timing, a table on the terminal, rows as JSON."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]


def arguments(description: str | None) -> argparse.Namespace:
    """What :func:`argument_parser` reads from the command line."""
    return argument_parser(description).parse_args()


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """``--quick`` (fewer repetitions, smaller cases) and ``--json PATH``; one torch thread."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smoke test, not a measurement")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    torch.set_num_threads(1)
    return parser


def interleaved(
    sides: Mapping[str, Callable[[], float]], repetitions: int
) -> dict[str, list[float]]:
    """Seconds that each side reports, in turns, so that a machine's moods hit all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, side in sides.items():
            seconds[name].append(side())
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call, by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_time(work: Callable[[], object]) -> float:
    """Seconds that this process computes for one call: other processes do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median of the ratios of measurements that were taken one after the other."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def std(values: Sequence[float]) -> float:
    """Standard deviation, 0 of a single value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def finish(rows: Sequence[Row], path: Path | None) -> None:
    """Print rows as a table, columns as they first appear; write them as JSON."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_text(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(list(rows), indent=2) + "\n")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "" if value is None else str(value)
