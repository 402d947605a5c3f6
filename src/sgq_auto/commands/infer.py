"""``python -m sgq_auto.infer``: predict with a packed model; needs numpy and safetensors only."""

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

if __name__ == "__main__":
    # Chunks are what runs at once; a matrix product of its own threads would only be in the way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sgq_auto.commands.arguments import as_path, parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.node_files.given_graph import GivenGraph
from sgq_auto.node_files.node_names import NodeNames
from sgq_auto.node_files.predicted import Predicted, predicted
from sgq_auto.packed import PackedModel, load
from sgq_auto.packed.codes.bit_packing import Array

_USAGE = (
    "python -m sgq_auto.infer artifact=PATH [graph=FILE] [nodes=0,5,7] [out=preds.csv] "
    "[ids=nodes.csv] [ids_column=COLUMN] [threads=1] [max_bytes=N]"
)
_EXPLAINED = """
Predicts the classes, labels or numbers of nodes with a packed model. It needs numpy and
safetensors only; with numba it is many times faster.

  artifact=PATH      the packed model, or the folder of a run (outputs/runs/...) with one
  graph=FILE         another graph than the one in the file: .npz (x, edge_index, and where needed
                     edge_weight or edge_attr), .pt of torch.save(data), or a folder of nodes.csv
                     and edges.csv (the last two need torch and PyG); a model for many graphs has
                     no graph in its file, and needs one here
  nodes=0,5,7        the nodes, by their ids in the search, or without ids by the numbers of their
                     rows, counted from 0; none: all
  out=preds.csv      where they go: .csv (names of nodes and classes; a probability for each of
                     several labels; or numbers) or .npy (numbers)
  ids=nodes.csv      a table with a row for each node, in the order of the search, that names them
  ids_column=COLUMN  its column of ids; none: the one that the search used
  threads=1          threads to predict with
  max_bytes=N        for a file that you trust: the memory it may take (without: 256 times its size)

Example: python -m sgq_auto.infer artifact=outputs/runs/2026-01-31_12-00-00-000000 out=preds.csv
"""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        artifact: The packed model, or the folder of a run that recommends one.
        graph: A graph to predict in place of the model's own, or ``None``.
        nodes: Nodes to predict, by id or number, or ``None`` for all.
        out: Where the predicted classes go, or ``None``.
        ids: A CSV file with what each node is called, or ``None``.
        ids_column: Its column, or ``None`` for the one that the search used.
        threads: Threads to predict with.
        max_bytes: What loading and predicting may take; ``None`` bounds it by the file's size.
    """

    artifact: Path
    graph: Path | None = None
    nodes: tuple[str, ...] | None = None
    out: Path | None = None
    ids: Path | None = None
    ids_column: str | None = None
    threads: int = 1
    max_bytes: int | None = None

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
        counts = {name: given[name] for name in ("threads", "max_bytes") if name in given}
        for name, count in counts.items():
            if not count.isdecimal() or int(count) < 1:
                raise InputError(
                    f"{name}={count}: it must be a whole number, at least 1; usage: {_USAGE}"
                )
        if "ids_column" in given and "ids" not in given:
            raise InputError("ids_column: it is a column of the file that ids=FILE gives")
        return cls(
            artifact=as_path(given["artifact"]),
            graph=as_path(given["graph"]) if "graph" in given else None,
            nodes=tuple(nodes) or None,
            out=out,
            ids=as_path(given["ids"]) if "ids" in given else None,
            ids_column=given.get("ids_column"),
            **{name: int(count) for name, count in counts.items()},
        )


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _check_rows(rows: Sequence[int] | None, num_nodes: int) -> None:
    if rows and max(rows) >= num_nodes:
        raise InputError(
            f"node {max(rows)} is unknown; the {num_nodes} nodes are 0 to {num_nodes - 1}"
        )


def _run(arguments: list[str]) -> None:
    request = Request.parse(arguments)
    start = time.perf_counter()
    artifact = artifact_of(request.artifact)
    model = load(artifact, max_bytes=request.max_bytes)
    loaded = time.perf_counter()
    given = _given(request, model)
    if given is None:
        names = NodeNames.of(model, artifact, request.ids, request.ids_column)
    else:
        names = NodeNames.of_graph(given, request.ids, request.ids_column)
    rows = names.rows(request.nodes)
    _check_rows(rows, names.num_nodes)
    ready = time.perf_counter()
    outputs = _outputs(request, model, given, rows)
    done = time.perf_counter()
    found = predicted(model, outputs)
    of_graphs = model.task.predicts_graphs
    if of_graphs:
        called = map(str, range(len(outputs))) if given is None else given.graph_names(len(outputs))
        _deliver(request, found, called, "graph")
    else:
        _deliver(request, found, names.called(rows), "node")
    for note in () if given is None else given.notes:
        print(_printable(note))
    print(f"Predicted: {_printable(found.summed_up)}")
    total = f"{len(outputs)} graphs" if of_graphs else f"{len(outputs)} of {names.num_nodes} nodes"
    print(
        f"{total} predicted; "
        f"file {artifact.stat().st_size / 1024:,.1f} KiB, "
        f"held {model.footprint().resident_bytes / 1024:,.1f} KiB"
    )
    print(
        f"loaded in {loaded - start:.3f} s, predicted in {done - ready:.3f} s, "
        f"peak memory of the process {_peak_mib():,.1f} MiB"
    )
    if names.note is not None:
        print(_printable(names.note))
    if request.out is not None:
        print(f"{found.kind}: {request.out}")


def _given(request: Request, model: PackedModel) -> GivenGraph | None:
    """The graph to predict; ``None`` for the one that the model holds."""
    path = request.graph
    if path is None:
        if not model.holds_graph:
            raise InputError(
                "the model is for many graphs and holds none: give one with graph=FILE (.npz with "
                "x and edge_index, .pt, or a folder with nodes.csv and edges.csv)"
            )
        if not model.holds_features:
            raise InputError(
                "the model holds a graph whose features change: give them with graph=FILE.npz (x)"
            )
        return None
    if not path.exists():
        raise InputError(f"graph={path}: there is no such file or folder")
    if path.suffix == ".npz":
        return GivenGraph.of_npz(path, request.max_bytes)
    if not path.is_dir() and path.suffix not in (".pt", ".pth"):
        raise InputError(f"graph={path}: it must be .npz, .pt, or a folder with tables")
    # Only now: they need torch and PyG.
    try:
        from sgq_auto.graphs.sources.unlabelled_graph import unlabelled_graph
    except ImportError as error:
        raise InputError(
            f"graph={path}: it takes torch and PyG to be read ({error}); a .npz file with x and "
            "edge_index takes numpy alone"
        ) from error
    reads_edges = model.graph.weights is not None
    edge_columns = model.graph.spec.edge_columns if reads_edges else 0
    return unlabelled_graph(path, model.features.spec.num_features, edge_columns)


def _outputs(
    request: Request, model: PackedModel, given: GivenGraph | None, rows: Sequence[int] | None
) -> Array:
    """What the model returns for each node, or graph."""
    by_graph = model.task.predicts_graphs
    arguments = {} if given is None else given.arguments(by_graph=by_graph)
    try:
        outputs: Array = model.predict(rows, threads=request.threads, **arguments)
    except ValueError as error:
        if given is None:
            raise
        raise InputError(f"graph={request.graph}: {error}") from error
    return outputs


def artifact_of(path: Path) -> Path:
    """The file of a packed model: ``path``, or what the summary in the folder ``path`` names.

    Raises:
        InputError: If the folder is none of a search, or that search recommends no packed model.
    """
    if not path.is_dir():
        return path
    summary = path / "summary.json"
    try:
        found = json.loads(summary.read_text(encoding="utf-8"))
        named = found["recommended"] and found["recommended"]["artifact_path"]
        study = found.get("study", "NAME")
        if named and not isinstance(named, str):
            raise ValueError("artifact_path is a path")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"artifact={path}: a folder without the summary.json of a search; give the file of a "
            "packed model, or the folder of a run"
        ) from error
    if not named:
        raise InputError(
            f"artifact={path}: {summary} recommends no model that was packed; pack a trial of your "
            f"choice: python -m sgq_auto.export study={_printable(str(study))} trial=N"
        )
    return Path(named)


def _deliver(request: Request, found: Predicted, nodes: Iterable[str], unit: str) -> None:
    """Write predictions where they are wanted; tell them of nodes that were asked for by name."""
    if request.out is not None:
        found.write(request.out, nodes, unit)
    elif request.nodes is not None:
        for row, node in enumerate(nodes):
            print(f"node {_printable(node)}: {found.of(row)}")


def _printable(text: str) -> str:
    """Text of a file that cannot steer a terminal."""
    return text if text.isprintable() else repr(text)


def _peak_mib() -> float:
    """Largest resident memory of this process so far; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
