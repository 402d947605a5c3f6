"""``python -m sgq_auto.infer``: predict with a packed model; needs numpy and safetensors only."""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

if __name__ == "__main__":
    # Chunks are what runs at once; a matrix product of its own threads would only be in the way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from sgq_auto.arguments import as_path, parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.packed import PackedModel, load
from sgq_auto.packed.codes import Array
from sgq_auto.predictions import read_ids, write_predictions

_USAGE = (
    "python -m sgq_auto.infer artifact=PATH [nodes=0,5,7] [out=preds.csv] [ids=nodes.csv] "
    "[threads=1]"
)
_EXPLAINED = """
Predicts the classes of nodes with a packed model. It needs numpy and safetensors only; with numba
it is many times faster.

  artifact=PATH      the packed model, or the folder of a run (outputs/runs/...) with one
  nodes=0,5,7        the nodes, by the numbers of their rows, counted from 0; none: all
  out=preds.csv      where the classes go: .csv (names of nodes and classes) or .npy (numbers)
  ids=nodes.csv      a table with a row for each node; what its column of ids says is in the output
  threads=1          threads to predict with

Example: python -m sgq_auto.infer artifact=outputs/runs/2026-01-31_12-00-00-000000 out=preds.csv
"""
_MOST_CLASSES = 10


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        artifact: The packed model, or the folder of a run that recommends one.
        nodes: Nodes to predict, or ``None`` for all.
        out: Where the predicted classes go, or ``None``.
        ids: A CSV file with what each node is called, or ``None``.
        threads: Threads to predict with.
    """

    artifact: Path
    nodes: tuple[int, ...] | None = None
    out: Path | None = None
    ids: Path | None = None
    threads: int = 1

    @classmethod
    def parse(cls, arguments: list[str]) -> Self:
        """Read ``key=value`` arguments.

        Raises:
            InputError: If one is unknown or malformed, or there is no artifact.
        """
        known = [field.name for field in fields(cls)]
        given = parse_arguments(arguments, known, ("artifact",), _USAGE, _EXPLAINED)
        out = as_path(given["out"]) if "out" in given else None
        if out is not None and out.suffix not in (".csv", ".npy"):
            raise InputError(f"out={out}: it must end in .csv or .npy")
        nodes = [n.strip() for n in given.get("nodes", "").strip("[]").split(",") if n.strip()]
        for node in nodes:
            if not node.isdecimal():
                raise InputError(
                    f"nodes: {node!r} is no number; a node is the number of its row, counted from "
                    "0, like nodes=0,5,7 (out=preds.csv ids=nodes.csv writes ids)"
                )
        threads = given.get("threads", "1")
        if not threads.isdecimal() or int(threads) < 1:
            raise InputError(
                f"threads={threads}: it must be a whole number, at least 1; usage: {_USAGE}"
            )
        return cls(
            artifact=as_path(given["artifact"]),
            nodes=tuple(map(int, nodes)) if nodes else None,
            out=out,
            ids=as_path(given["ids"]) if "ids" in given else None,
            threads=int(threads),
        )

    def check(self, num_nodes: int) -> None:
        """Check the nodes against those that a model has.

        Raises:
            InputError: If one is unknown.
        """
        if self.nodes is not None and max(self.nodes) >= num_nodes:
            raise InputError(
                f"node {max(self.nodes)} is unknown; the {num_nodes} nodes are 0 to {num_nodes - 1}"
            )


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    request = Request.parse(arguments)
    start = time.perf_counter()
    artifact = _artifact(request.artifact)
    model = load(artifact)
    request.check(model.num_nodes)
    loaded = time.perf_counter()
    classes = model.predict(request.nodes, threads=request.threads).argmax(axis=1)
    done = time.perf_counter()
    _deliver(request, model, classes)
    print(f"Predicted: {_by_class(classes, model.classes)}")
    print(
        f"{classes.size} of {model.num_nodes} nodes predicted; "
        f"file {artifact.stat().st_size / 1024:,.1f} KiB, "
        f"held {model.footprint().resident_bytes / 1024:,.1f} KiB"
    )
    print(
        f"loaded in {loaded - start:.3f} s, predicted in {done - loaded:.3f} s, "
        f"peak memory of the process {_peak_mib():,.1f} MiB"
    )
    if request.out is not None:
        print(f"Classes: {request.out}")


def _artifact(path: Path) -> Path:
    """The file of a packed model: ``path``, or what the summary in the folder ``path`` names."""
    if not path.is_dir():
        return path
    summary = path / "summary.json"
    try:
        found = json.loads(summary.read_text(encoding="utf-8"))
        named = found["recommended"] and found["recommended"]["artifact_path"]
        study = found.get("study", "NAME")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"artifact={path}: a folder without the summary.json of a search; give the file of a "
            "packed model, or the folder of a run"
        ) from error
    if not named:
        raise InputError(
            f"artifact={path}: {summary} recommends no model that was packed; pack a trial of your "
            f"choice: python -m sgq_auto.export study={study} trial=N"
        )
    return Path(named)


def _deliver(request: Request, model: PackedModel, classes: Array) -> None:
    """Write the classes where they are wanted; tell them of nodes that were asked for by name."""
    nodes = _called(request, model.num_nodes)
    if request.out is not None:
        write_predictions(request.out, nodes, classes, model.classes)
    elif request.nodes is not None:
        for node, k in zip(nodes, classes, strict=True):
            print(f"node {node}: class {model.classes[k]}")


def _called(request: Request, num_nodes: int) -> list[str]:
    """What the predicted nodes are called: their ids where these are given, or their numbers."""
    numbers = range(num_nodes) if request.nodes is None else request.nodes
    if request.ids is None:
        return [str(node) for node in numbers]
    ids = read_ids(request.ids, num_nodes)
    return [ids[node] for node in numbers]


def _by_class(classes: Array, names: Sequence[str]) -> str:
    """How many nodes are of each class, the largest classes first, in one short line."""
    found, counts = np.unique(classes, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
    shown = [f"{names[found[k]]} ({counts[k]:,})" for k in largest]
    if found.size > largest.size:
        shown.append(f"{found.size - largest.size} classes more")
    return ", ".join(shown)


def _peak_mib() -> float:
    """Largest resident memory of this process so far; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
