"""Models in C against the compiled kernels and PyG: time, bytes, and how far logits are apart.

Each side predicts all nodes of the same trained GCN with one thread, in turns: the C model
(``gcc -O2``, its own process that predicts twice and reports the second time), the packed model
with numba, and PyG's convolutions in fp32. Times are those of the processor, which other programs
on the machine change least. Logits of the C model, whose numbers between codes are
fp32, are compared with those of the packed runtime in numpy, which are fp64.
"""

import os
import statistics
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import torch
from torch import nn

from problem import load_problem
from report import Row, arguments, finish, interleaved, processor_time, ratio
from sgq_auto.graphs import Graph
from sgq_auto.models import GCN
from sgq_auto.packed import PackedModel, write_c
from sgq_auto.packed.backends import NumpyEngine
from uniform_model import uniform_model

_MAIN = Path(__file__).parent / "timed_c_model.c"


def main() -> None:
    """Measure every dataset at every number of bits."""
    options = arguments(__doc__)
    names = ["cora"] if options.quick else ["cora", "citeseer", "pubmed"]
    widths = [4] if options.quick else [2, 4, 8, 16]
    repetitions = 3 if options.quick else 15
    rows = [
        _measure(name, bits, folder, repetitions)
        for name in names
        for bits in widths
        for folder in [Path(tempfile.mkdtemp(prefix="c_model"))]
    ]
    finish(rows, options.json)


def _measure(name: str, bits: int, folder: Path, repetitions: int) -> Row:
    graph = load_problem(f"dataset={name}").data.graph
    plain, packed = _sides(graph, bits)
    footprint = write_c(packed, folder)
    program = _compiled(folder)
    x, edge_index = graph.features.dense(), graph.edge_index()
    with torch.no_grad():
        seconds = interleaved(
            {
                "c": lambda: float(_run(program)),
                "one": lambda: float(_run(program, "0")),
                "kernels": lambda: processor_time(packed.predict),
                "pyg": lambda: processor_time(lambda: plain(x, edge_index)),
            },
            repetitions,
        )
    expected = replace(packed, engine=NumpyEngine()).predict()
    found = _logits(program, expected)
    return {
        "graph": name,
        "bits": bits,
        "flash_kib": footprint.flash_bytes / 1024,
        "ram_kib": footprint.ram_bytes / 1024,
        "c_ms": 1e3 * statistics.median(seconds["c"]),
        "kernels_ms": 1e3 * statistics.median(seconds["kernels"]),
        "pyg_ms": 1e3 * statistics.median(seconds["pyg"]),
        "c/kernels": ratio(seconds["c"], seconds["kernels"]),
        "c/pyg": ratio(seconds["c"], seconds["pyg"]),
        "all/one": ratio(seconds["c"], seconds["one"]),
        "worst_logit": float(np.abs(found - expected).max()),
        "logits_beyond_1e-4": int((np.abs(found - expected) > 1e-4).sum()),
        "other_classes": int((found.argmax(axis=1) != expected.argmax(axis=1)).sum()),
    }


def _sides(graph: Graph, bits: int) -> tuple[nn.Module, PackedModel]:
    torch.manual_seed(0)
    plain = GCN(graph.features.num_features, graph.num_classes)
    packed = uniform_model(plain, graph, bits, epochs=50)
    packed.predict()  # The kernels are compiled before they are timed.
    return plain.eval(), packed


def _compiled(folder: Path) -> Path:
    program = folder / "program"
    sources = [str(_MAIN), str(folder / "sgq_model.c"), str(folder / "sgq_runtime.c")]
    command = ["gcc", "-std=c99", "-O2", f"-I{folder}", "-o", str(program), *sources, "-lm"]
    subprocess.run(command, check=True)
    return program


def _run(program: Path, *arguments: str) -> str:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _logits(program: Path, like: np.ndarray) -> np.ndarray:
    found = np.full(like.shape, np.nan)
    for line in _run(program, "logits").splitlines():
        node, *values = line.split()
        found[int(node)] = [float(value) for value in values]
    return found


if __name__ == "__main__":
    main()
