"""Files and processes: the recommended artifact against fp32 files of the same model and graph.

Each form holds one GCN, its graph and its features; a fresh process predicts all nodes from it.

- ``pyg``: dense fp32 ``x``, int64 ``edge_index``, fp32 weights; PyG's convolutions.
- ``sparse fp32``: features in CSR (fp32 values, int32 indices), int32 CSR graph, fp32 weights;
  torch's sparse CSR, or scipy's, which needs no torch.
- ``float16``: ``pyg`` with ``x`` and weights in halves, made fp32 again to predict: torch can add
  halves, but then counts no degree past 2048.
- ``zip``: the file of ``pyg`` deflated at level 9, unpacked in memory.
- ``packed``: the artifact, with compiled kernels or with numpy alone.

The fp32 files are safetensors of the full-precision model that the artifact was fine-tuned from.
They hold nodes in the dataset's order and features before rows are normalised, which zips best.
Processes have one thread and take turns, after one of each that warms caches; figures are medians.
``process_s`` is all of it, ``predict_s`` reading and predicting after imports (the artifact's
kernels are imported while it is read), ``imports_mib`` the peak until then, and ``test_%`` what
these very predictions score. Overrides are the search's; one that is found finished under
``output_root`` is not run again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from problem import Problem, load_problem, scratch_overrides
from report import Row, finish, interleaved, timed
from sgq_auto.graphs import Graph
from sgq_auto.graphs.feature_matrix import DenseFeatures, SparseFeatures
from sgq_auto.packed import load
from sgq_auto.searching.confirming.pack_trial import pack_trial
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.study_folder import StudyFolder

_DATASETS = "cora,citeseer,pubmed,amazon_computers"
Summary = dict[str, Any]

# Not ru_maxrss: that of a new process starts at what its parent held.
_BEGIN = """
import json, sys, time
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
imported, start = peak(), time.perf_counter()
"""
_END = """
told = {"predict_s": time.perf_counter() - start, "peak_mib": peak(), "imports_mib": imported}
print(json.dumps(told | {"classes": logits.argmax(1).tolist()}))
"""
_PYG_IMPORTS = """
import zipfile, torch
from safetensors.torch import load, load_file
from torch_geometric.nn import GCNConv
"""
_TORCH_IMPORTS = """
import warnings, torch
from safetensors.torch import load_file
warnings.simplefilter("ignore")
ones, maximum = torch.ones, torch.maximum
def csr(rowptr, col, values, columns):
    return torch.sparse_csr_tensor(rowptr, col, values, (len(rowptr) - 1, columns))
"""
_SCIPY_IMPORTS = """
import numpy
from safetensors.numpy import load_file
from scipy.sparse import csr_array
ones, maximum = lambda shape: numpy.ones(shape, "float32"), numpy.maximum
def csr(rowptr, col, values, columns):
    return csr_array((values, col, rowptr), (len(rowptr) - 1, columns))
"""
_WITHOUT_KERNELS = """
import sys
sys.modules["llvmlite"] = sys.modules["numba"] = None
"""
_PACKED_IMPORTS = "from sgq_auto.packed import load"
_READ = "held = load_file(sys.argv[1])"
_UNZIP = """
with zipfile.ZipFile(sys.argv[1]) as archive:
    held = load(archive.read("model"))
"""
_PYG = """
def conv(name, x):
    weight = held[name + ".lin.weight"].float()
    layer = GCNConv(weight.size(1), weight.size(0))
    layer.load_state_dict({"lin.weight": weight, "bias": held[name + ".bias"].float()})
    return layer(x, held["edge_index"])
with torch.no_grad():
    x = held.pop("x").float()
    if sys.argv[2] == "normalize":
        x /= x.sum(1, keepdim=True).clamp_(min=1)
    logits = conv("conv2", conv("conv1", x).relu())
"""
_SPARSE = """
rowptr, col, weight = held["edges.rowptr"], held["edges.col"], held["conv1.lin.weight"]
adjacency = csr(rowptr, col, ones(len(col)), len(rowptr) - 1)
roots = (rowptr[1:] - rowptr[:-1] + ones(1))[:, None] ** 0.5
def propagate(x, name):
    x = x / roots
    return (adjacency @ x + x) / roots + held[name + ".bias"]
x = csr(held["x.rowptr"], held["x.col"], held["x.values"], weight.shape[1])
hidden = x @ weight.T
if sys.argv[2] == "normalize":
    hidden /= maximum(x @ ones((weight.shape[1], 1)), ones(1))
hidden = propagate(hidden, "conv1")
logits = propagate((hidden * (hidden > 0)) @ held["conv2.lin.weight"].T, "conv2")
"""
_PACKED = "logits = load(sys.argv[1]).predict()"


@dataclass
class Form:
    """One file, one way to predict from it, and what its processes told."""

    name: str
    file: Path
    code: str
    normalize: bool
    told: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """Predict in a fresh process."""
        word = "normalize" if self.normalize else ""
        command = [sys.executable, "-c", self.code + _END, str(self.file), word]
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
        self.told.append(json.loads(done.stdout))

    def median(self, figure: str) -> float:
        """Median of a figure over the processes after the first."""
        return statistics.median(float(told[figure]) for told in self.told[1:])


def main() -> None:
    """Measure every graph."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smoke test: cora, 20 trials")
    parser.add_argument("--json", type=Path, help="write the rows here, parts to NAME-parts.json")
    parser.add_argument("overrides", nargs="*", help="of the search, like dataset=cora,pubmed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = dict(override.split("=", 1) for override in options.overrides)
    quick = {"dataset": "cora", "n_trials": "20"} if options.quick else {}
    given = {"dataset": _DATASETS} | quick | given
    forms, parts = [], []
    for name in given.pop("dataset").split(","):
        with tempfile.TemporaryDirectory() as scratch:
            own = [f"dataset={name}", *(f"{key}={value}" for key, value in given.items())]
            overrides = [*scratch_overrides(scratch), *own]
            rows, part = _compare(overrides, Path(scratch), 1 if options.quick else 5)
            forms += rows
            parts.append(part)
    finish(parts, options.json and options.json.with_stem(options.json.stem + "-parts"))
    finish(forms, options.json)


def _compare(overrides: list[str], scratch: Path, processes: int) -> tuple[list[Row], Row]:
    problem = load_problem(*overrides)
    if problem.settings.model.name != "gcn":
        sys.exit("files.py: the fp32 forms are of a GCN; leave model=gcn")
    summary = _summary(problem, overrides)
    artifact = _artifact(problem, summary, scratch)
    forms = list(_forms(problem, artifact, scratch))
    for form in forms:
        form.run()
    seconds = interleaved({form.name: partial(timed, form.run) for form in forms}, processes)
    rows = [_form_row(problem, form, forms, seconds[form.name]) for form in forms]
    return rows, _parts_row(summary, artifact)


def _summary(problem: Problem, overrides: list[str]) -> Summary:
    """The last summary of the study that has all trials and a model to show, or a new one."""
    settings, study = problem.settings, problem.settings.study_name(problem.data)
    for run in (True, False):
        for path in sorted(settings.output_root.glob("runs/*/summary.json"), reverse=True):
            found: Summary = json.loads(path.read_text())
            ours = (found["study"], found["tolerance"]) == (study, settings.tolerance)
            if ours and sum(found["trials"].values()) >= settings.n_trials and _entry(found):
                return found
        if run:
            command = [sys.executable, "-m", "sgq_auto.search", *overrides]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sys.exit(f"files.py: {study} has no trial to show")


def _entry(summary: Summary) -> Summary | None:
    """What is recommended, or else the nearest miss; ``None`` where neither is a trial."""
    entry: Summary = summary["recommended"] or summary["nearest_miss"] or {}
    return entry if entry.get("trial") is not None else None


def _artifact(problem: Problem, summary: Summary, scratch: Path) -> Path:
    entry, study = _entry(summary) or {}, summary["study"]
    kept = Path(entry.get("artifact_path") or scratch / "packed.safetensors")
    if kept.exists():
        return kept
    folder = StudyFolder.of(problem.settings.output_root, study)
    return pack_trial(problem.settings, folder, entry["trial"], scratch / "packed.safetensors")


def _forms(problem: Problem, artifact: Path, scratch: Path) -> Iterator[Form]:
    graph = problem.data.graph
    bench = Workbench.build(problem.settings, graph, load(artifact).source["seed"])
    state = {key: value.contiguous() for key, value in bench.pretrained.model.state_dict().items()}
    x, edge_index = _as_loaded(graph)
    pyg, sparse, halves, zipped = (scratch / name for name in ("pyg", "sparse", "halves", "zip"))
    save_file(state | {"x": x, "edge_index": edge_index}, pyg)
    save_file(state | _csr_tensors(x, edge_index), sparse)
    half = {name: tensor.half() for name, tensor in (state | {"x": x}).items()}
    save_file(half | {"edge_index": edge_index}, halves)
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(pyg, "model")
    for name, file, code in (
        ("pyg", pyg, _PYG_IMPORTS + _BEGIN + _READ + _PYG),
        ("sparse fp32, torch", sparse, _TORCH_IMPORTS + _BEGIN + _READ + _SPARSE),
        ("sparse fp32, scipy", sparse, _SCIPY_IMPORTS + _BEGIN + _READ + _SPARSE),
        ("float16", halves, _PYG_IMPORTS + _BEGIN + _READ + _PYG),
        ("zip", zipped, _PYG_IMPORTS + _BEGIN + _UNZIP + _PYG),
        ("packed, compiled", artifact, _PACKED_IMPORTS + _BEGIN + _PACKED),
        ("packed, numpy", artifact, _WITHOUT_KERNELS + _PACKED_IMPORTS + _BEGIN + _PACKED),
    ):
        yield Form(name, file, code, graph.features.normalize_rows)


def _as_loaded(graph: Graph) -> tuple[Tensor, Tensor]:
    """``x`` and ``edge_index`` as the dataset has them: nodes in its order, rows not normalised."""
    order, features = graph.node_order, graph.features
    assert isinstance(features, SparseFeatures | DenseFeatures)
    prepared = replace(features, normalize_rows=False).dense()
    x = torch.empty_like(prepared)
    x[order] = prepared
    source, target = order[graph.edge_index()]
    by_source = (source * graph.num_nodes + target).argsort()
    return x, torch.stack([source, target])[:, by_source].contiguous()


def _csr_tensors(x: Tensor, edge_index: Tensor) -> dict[str, Tensor]:
    source, target = edge_index
    by_target = (target * len(x) + source).argsort()
    ends = torch.bincount(target, minlength=len(x)).cumsum(0)
    csr = x.to_sparse_csr()
    return {
        "edges.rowptr": torch.cat([ends.new_zeros(1), ends]).int(),
        "edges.col": source[by_target].int(),
        "x.rowptr": csr.crow_indices().int(),
        "x.col": csr.col_indices().int(),
        "x.values": csr.values(),
    }


def _form_row(problem: Problem, form: Form, forms: list[Form], seconds: list[float]) -> Row:
    graph, held_out = problem.data.graph, problem.data.held_out
    size = {other.name: other.file.stat().st_size for other in forms}
    predicted = torch.tensor(form.told[-1]["classes"])[graph.node_order[held_out.nodes]]
    return {
        "graph": problem.settings.dataset,
        "form": form.name,
        "bytes": size[form.name],
        "pyg/bytes": size["pyg"] / size[form.name],
        "sparse/bytes": size["sparse fp32, torch"] / size[form.name],
        "peak_mib": form.median("peak_mib"),
        "imports_mib": form.median("imports_mib"),
        "process_s": statistics.median(seconds),
        "predict_s": form.median("predict_s"),
        "test_%": 100 * float((predicted == held_out.labels).double().mean()),
    }


def _parts_row(summary: Summary, artifact: Path) -> Row:
    """Bytes of the artifact by part, and the accuracies that the study recorded."""
    model, entry, full = load(artifact), _entry(summary) or {}, summary["full_precision"]
    parts = model.footprints.stored_parts(model.allocation)
    # A recommended entry has these itself, a near one under ``confirmed``.
    point = entry.get("confirmed") or entry
    return {
        "graph": summary["dataset"],
        "trial": f"{entry['trial']}{'' if summary['recommended'] else ' (nearest miss)'}",
        "average_bits": entry["average_bits"],
        **{f"{name}_bytes": num_bytes for name, num_bytes in parts.items() if num_bytes},
        "header_bytes": artifact.stat().st_size - sum(parts.values()),
        "file_bytes": artifact.stat().st_size,
        "fp32_test_%": 100 * full["test_accuracy"],
        "fp32_std": 100 * full["test_accuracy_std"],
        "packed_test_%": 100 * point["test_accuracy"],
        "packed_std": 100 * point["test_accuracy_std"],
        "test_drop": point["test_accuracy_drop"],
        "test_drop_std": point["test_accuracy_drop_std"],
        "val_drop": point["val_drop"],
    }


if __name__ == "__main__":
    main()
