"""The packed runtime against PyG and torch: time, memory, and bytes on disk.

Each side predicts all nodes of the same trained GCN: PyG's convolutions on ``edge_index`` in fp32,
torch fp32 products with a CSR adjacency that is normalised beforehand, and the packed model with
numba. Times are medians of turns in one process, one thread each. Peak memory is that of a fresh
process that loads the files and predicts once; the PyG side loads a checkpoint and its data.
A second table has what some nodes take beside all of them (:mod:`some_nodes`).
"""

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# One thread a side: torch is told below, numpy before it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from problem import load_problem
from report import Row, arguments, finish, interleaved, ratio, timed
from sgq_auto.graphs import BucketSettings, Graph, prepare_graph
from sgq_auto.graphs.sources import SyntheticSource
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.models import GCN
from sgq_auto.packed import PackedModel, load, save
from some_nodes import rows_of

_REPETITIONS = 9

# Not ru_maxrss: that of a new process starts at what its parent held.
_PEAK = """
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
_PYG_PROCESS = """
import sys, torch
from safetensors.torch import load_file
from sgq_auto.models import GCN
torch.set_num_threads(1)
held = load_file(sys.argv[1])
x, edge_index = held.pop("x"), held.pop("edge_index")
out, hidden = held["conv2.lin.weight"].shape
model = GCN(x.size(1), out, hidden=hidden).eval()
model.load_state_dict(held)
with torch.no_grad():
    model(x, edge_index)
"""
_PACKED_PROCESS = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"
if sys.argv[2] == "numpy":
    sys.modules["numba"] = sys.modules["llvmlite"] = None
from sgq_auto.packed import load
load(sys.argv[1]).predict()
"""
from uniform_model import uniform_model


@dataclass(frozen=True, eq=False)
class Sides:
    """The same model three ways."""

    plain: nn.Module
    x: Tensor
    edge_index: Tensor
    adjacency: Tensor
    packed: PackedModel


def main() -> None:
    """Measure every graph."""
    options = arguments(__doc__)
    names = ["cora"] if options.quick else ["cora", "pubmed", "amazon_computers", "synthetic"]
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measure(name, Path(folder)) for name in names]
    finish(rows, options.json)
    path = options.json and options.json.with_stem(f"{options.json.stem}_some_nodes")
    finish(rows_of(names[:2]), path)


def _measure(name: str, folder: Path) -> Row:
    graph, hidden = (_synthetic(), 128) if name == "synthetic" else (_real(name), 16)
    sides = _sides(graph, hidden)
    checkpoint, artifact = folder / f"{name}.pyg.safetensors", folder / f"{name}.safetensors"
    state = {key: tensor.contiguous() for key, tensor in sides.plain.state_dict().items()}
    save_file(state | {"x": sides.x, "edge_index": sides.edge_index}, checkpoint)
    save(sides.packed, artifact)
    loaded = load(artifact)
    with torch.no_grad():
        seconds = interleaved(
            {
                "pyg": lambda: timed(lambda: sides.plain(sides.x, sides.edge_index)),
                "csr": lambda: timed(lambda: _csr_forward(sides)),
                "packed": lambda: timed(loaded.predict),
            },
            _REPETITIONS,
        )
    peaks = {
        "pyg": _peak(_PYG_PROCESS, checkpoint),
        "numba": _peak(_PACKED_PROCESS, artifact, "numba"),
        "numpy": _peak(_PACKED_PROCESS, artifact, "numpy"),
    }
    footprints = loaded.footprints
    held = loaded.footprint().resident_bytes
    return {
        "graph": name,
        "pyg_ms": 1e3 * statistics.median(seconds["pyg"]),
        "csr_ms": 1e3 * statistics.median(seconds["csr"]),
        "packed_ms": 1e3 * statistics.median(seconds["packed"]),
        "packed/pyg": ratio(seconds["packed"], seconds["pyg"]),
        "packed/csr": ratio(seconds["packed"], seconds["csr"]),
        "pyg_mib": peaks["pyg"],
        "numba_mib": peaks["numba"],
        "numpy_mib": peaks["numpy"],
        "pyg/numba": peaks["pyg"] / peaks["numba"],
        "pyg/numpy": peaks["pyg"] / peaks["numpy"],
        "held_kib": held / 1024,
        "held_ratio": footprints.full_precision().resident_bytes / held,
        "file_kib": artifact.stat().st_size / 1024,
        "file_ratio": checkpoint.stat().st_size / artifact.stat().st_size,
    }


def _real(name: str) -> Graph:
    return load_problem(f"dataset={name}").data.graph


def _synthetic() -> Graph:
    source = SyntheticSource(170_000, 2_300_000, 128, 40, words_per_node=None, seed=0)
    raw = source.load()
    split = PerClassSplit(20, num_val=1000).split(raw)
    return prepare_graph(raw, split, BucketSettings(), normalize_rows=False).graph


def _sides(graph: Graph, hidden: int) -> Sides:
    plain = GCN(graph.features.num_features, graph.num_classes, hidden=hidden)
    degrees = graph.adj_t.rowptr.diff().float().rsqrt()
    rows, columns = graph.adj_t.row.long(), graph.adj_t.col.long()
    adjacency = torch.sparse_csr_tensor(
        graph.adj_t.rowptr.long(), columns, degrees[rows] * degrees[columns], graph.adj_t.shape
    )
    dense = graph.features.dense()
    return Sides(plain.eval(), dense, graph.edge_index(), adjacency, uniform_model(plain, graph))


def _csr_forward(sides: Sides) -> Tensor:
    conv1, conv2 = sides.plain.conv1, sides.plain.conv2
    hidden = sides.adjacency @ conv1.lin(sides.x) + conv1.bias
    return sides.adjacency @ conv2.lin(hidden.relu()) + conv2.bias


def _peak(code: str, *files: object) -> float:
    """Peak resident memory in MiB of a process; the second of two, so that code is compiled."""
    command = [sys.executable, "-c", code + _PEAK, *map(str, files)]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout) / 1024


if __name__ == "__main__":
    main()
