"""Does a lying artifact harm the packed runtime? 20,000 mutants, none makes a fault.

Each mutant is a random model whose header and tensors are changed and signed again
(:mod:`mutants`, shared with the tests). It must be refused with one line, or both backends must
predict the same: all nodes, by one thread and two, and some nodes. Kernels work beside pages that
may not be touched, in a process of their own, so that a read or write beyond an array ends that
process and is counted.

A difference counts as rounding's where noise as small as that of fp64 makes it by itself: sums of
huge terms cancel, or a value lies just where it is rounded up as well as down.
"""

import argparse
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "packed"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "packed" / "artifact"))

from mutants import Outcome, outcome_of

from report import Row, argument_parser, finish

_COUNT, _QUICK = 20_000, 200
# A mutant that takes longer is stopped, and is a fault.
_SECONDS = 120.0
# Seeds that a process takes before the next one starts.
_RUN = 1_000


def main() -> None:
    """Make mutants and try them; exits with 1 if any makes a fault or a difference."""
    parser = argument_parser(__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=_COUNT, help="how many seeds")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.first, options.count)
        return
    count = _QUICK if options.quick else options.count
    last = options.first + count
    runs = [range(k, min(k + _RUN, last)) for k in range(options.first, last, _RUN)]
    with ThreadPoolExecutor(options.workers) as pool:
        counts = sum(pool.map(_tally, runs), Counter[str]())
    rows: list[Row] = [{"outcome": str(o), "mutants": counts[o]} for o in Outcome]
    finish([*rows, {"outcome": "all", "mutants": count}], options.json)
    sys.exit(1 if counts[Outcome.FAULT] or counts[Outcome.DIFFERENCE] else 0)


def _tally(seeds: range) -> Counter[str]:
    """What comes of some seeds; what is not fine is printed at once."""
    counts: Counter[str] = Counter()
    for seed, outcome, message in _outcomes(seeds):
        counts[outcome] += 1
        if outcome not in (Outcome.ACCEPTED, Outcome.REFUSED):
            print(f"seed {seed}: {outcome}: {message}", flush=True)
    return counts


def _outcomes(seeds: range) -> Iterator[tuple[int, str, str]]:
    """Seeds with their outcomes; one that ends its process, or takes too long, is a fault."""
    seed = seeds.start
    while seed < seeds.stop:
        own = [sys.executable, __file__, "--child", "--first", str(seed)]
        command = [*own, "--count", str(seeds.stop - seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as child:
            for line in _lines(child):
                outcome, message = line.rstrip("\n").split("\t", 1)
                yield seed, outcome, message
                seed += 1
        if seed < seeds.stop:
            yield seed, Outcome.FAULT, f"the process ended with status {child.returncode}"
            seed += 1


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    """Lines of a process, which is ended where one takes too long."""
    assert child.stdout is not None
    descriptor, held = child.stdout.fileno(), b""
    end = time.monotonic() + _SECONDS
    while True:
        if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
            child.kill()
            return
        found = os.read(descriptor, 1 << 16)
        if not found:
            return
        *whole, held = (held + found).split(b"\n")
        for line in whole:
            end = time.monotonic() + _SECONDS
            yield line.decode()


def _child(first: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            found = outcome_of(seed, Path(folder))
            print(f"{found.outcome}\t{found.message}", flush=True)


if __name__ == "__main__":
    main()
