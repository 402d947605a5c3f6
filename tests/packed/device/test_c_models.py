"""Models in C against the packed runtime: the same logits, in an arena of the predicted size."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_programs import SANITIZERS, c_model, compiler, program, worst
from cases import Case, make_case
from random_models import RandomModels
from weighted_models import weighted

from sgq_auto.graphs import PreparedData
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.device.c_model import CModel

pytestmark = pytest.mark.system

_USUAL = ("gcn", "agnn", "sage_max", "pna", "gcn2")
_MODELS = (
    "gcn",
    "sage",
    "gin",
    "gat",
    "agnn",
    "graph_conv",
    "gat_options",
    "sgc",
    "appnp",
    "tag",
    "gatv2",
    "gatv2_shared",
    "transformer",
    "transformer_plain",
    "sage_max",
    "sage_many",
    "sage_project",
    "sage_normalize",
    "pna",
    "gcn2",
    "gin_sums",
)
# Of logits: fp64 against fp64, and fp32 against fp64.
_DOUBLE, _FLOAT = 1e-5, 1e-4


# A compiler takes seconds for each with sanitizers.
@pytest.mark.parametrize(
    "model",
    [m if m in _USUAL else pytest.param(m, marks=pytest.mark.slow) for m in _MODELS],
)
def test_all_nodes_get_the_logits_of_the_packed_runtime_in_the_predicted_arena(
    model: str, small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    packed = replace(small_case(model).packed, engine=NumpyEngine())
    predicted = program(packed, tmp_path, *SANITIZERS).predict()
    expected = packed.predict()
    assert sorted(predicted.nodes) == list(range(packed.num_nodes))
    assert worst(predicted.logits, expected) <= _FLOAT
    first, second = np.sort(expected, axis=1)[:, :-3:-1].T
    is_clear = first - second > 2 * _FLOAT * max(1.0, float(np.abs(expected).max()))
    same = predicted.logits.argmax(axis=1) == expected.argmax(axis=1)
    assert same[is_clear].all()
    assert is_clear.mean() > 0.5
    assert predicted.mark == CModel(packed).footprint.ram_bytes


@pytest.mark.parametrize(
    "name", ["Cora", *(pytest.param(n, marks=pytest.mark.slow) for n in ("CiteSeer", "PubMed"))]
)
def test_every_node_of_a_dataset_gets_the_class_of_numpy(
    name: str, real_graph: Callable[[str], PreparedData], tmp_path: Path
) -> None:
    packed = make_case(real_graph(name).graph, "gcn", [1, 2, 3, 4, 6, 8]).packed
    expected = replace(packed, engine=NumpyEngine()).predict()
    predicted = program(packed, tmp_path, "-O2").predict()
    assert (predicted.logits.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert np.median(np.abs(predicted.logits - expected)) <= 1e-6
    made, graph = CModel(packed), packed.graph.spec
    assert predicted.mark == made.footprint.ram_bytes
    # Smaller than the packed file's code, and with degrees in it.
    assert made.shape.edges < graph.pattern.num_bytes
    assert made.shape.feature_places < 0.9 * graph.features.pattern(graph.num_nodes).num_bytes


@pytest.mark.parametrize("by", ["gcc", "clang"])
def test_dense_features_and_fp32_sites_and_both_compilers(
    by: str, dense: PreparedData, tmp_path: Path
) -> None:
    packed = make_case(dense.graph, "gcn", [2, 16, 32]).packed
    predicted = program(packed, tmp_path, "-DSGQ_DOUBLE", by=by).predict()
    assert worst(predicted.logits, packed.predict()) <= _DOUBLE


def test_some_nodes_come_once_each_and_as_among_all(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    packed = small_case("gcn").packed
    made = program(packed, tmp_path, *SANITIZERS)
    nodes = [7, 0, packed.num_nodes - 1, 7]
    some, every = made.predict(nodes), made.predict()
    assert sorted(some.nodes) == sorted(set(nodes))
    assert (some.logits[nodes] == every.logits[nodes]).all()


def test_arguments_that_cannot_be_are_refused_with_a_code(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    made = program(small_case("gcn").packed, tmp_path, *SANITIZERS, main="refuse_arguments.c")
    assert subprocess.run([str(made.path)], check=False).returncode == 0


def test_tables_take_the_predicted_bytes_in_an_object_file(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    packed = small_case("gcn").packed
    program(packed, tmp_path)
    source, made = tmp_path / "sgq_model.c", tmp_path / "sgq_model.o"
    subprocess.run([compiler(), "-std=c99", "-c", "-o", str(made), str(source)], check=True)
    listed = subprocess.run(
        ["size", "-A", str(made)], capture_output=True, text=True, check=True
    ).stdout
    (line,) = (line for line in listed.splitlines() if line.startswith(".rodata"))
    assert int(line.split()[1]) == CModel(packed).footprint.flash_bytes


def test_random_models_agree(tmp_path: Path) -> None:
    _check_random(range(9), tmp_path)


@pytest.mark.slow
def test_many_random_models_agree(tmp_path: Path) -> None:
    _check_random(range(9, 100_000), tmp_path, most=2000)


def _check_random(seeds: range, folder: Path, most: int | None = None) -> None:
    """Compares those of some random models that C can do, so many at most; some there must be."""
    done = 0
    for seed in seeds:
        if done == most:
            return
        random = np.random.default_rng(seed)
        models = RandomModels(random)
        packed = replace(models.model(), engine=NumpyEngine())
        if seed % 2:
            packed = weighted(packed, random)
        made = c_model(packed)
        if made is None:
            continue
        done += 1
        tables, footprint = made.tables, made.footprint
        held = 4 * len(tables.words) + 4 * len(tables.numbers) + tables.bytes.size
        assert held == footprint.flash_bytes, seed
        compiled = program(packed, folder, *SANITIZERS, "-DSGQ_DOUBLE")
        nodes, expected = models.nodes(packed).tolist(), packed.predict()
        assert worst(compiled.predict().logits, expected) <= _DOUBLE, seed
        assert worst(compiled.predict(nodes).logits[nodes], expected[nodes]) <= _DOUBLE, seed
    assert done >= len(seeds) // 12
