"""Graphs that the tests share: embedded Cora, a synthetic graph, odd small ones, real ones."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import scipy.sparse
import torch

from sampled_cases import mark_cases_outside_the_sample
from servers import PostgresServer, postgres_binary, running_postgres
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.sources import EmbeddedCora, PygSource, SyntheticSource
from sgq_auto.graphs.splits import OwnOrPerClassSplit, PerClassSplit

hypothesis.settings.register_profile("sgq_auto", deadline=None, derandomize=True)
hypothesis.settings.load_profile("sgq_auto")

# Where somebody tracks other work: not where tests do.
for _name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
    os.environ.pop(_name, None)

_FAMILIES = {"Cora": "Planetoid", "CiteSeer": "Planetoid", "PubMed": "Planetoid"} | {
    "Computers": "Amazon"
}

_ODD_EDGES = {
    "self_loops": [(0, 1), (1, 0), (2, 2), (2, 3), (3, 2), (5, 5), (6, 7), (7, 6)],
    "isolated_nodes": [(0, 1), (1, 0), (1, 2), (2, 1)],
    "directed": [(0, 1), (2, 1), (3, 1), (1, 4), (4, 5), (6, 0), (7, 8), (9, 10), (11, 10)],
    "duplicates": [(0, 1), (0, 1), (1, 0), (0, 1), (3, 4), (4, 3), (4, 3), (5, 6)],
    "no_edges": [],
    "everything": [(0, 1), (0, 1), (2, 2), (2, 2), (3, 1), (4, 1), (1, 5), (6, 7), (8, 1)],
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before what is slow is left out."""
    mark_cases_outside_the_sample(items)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys of this run are its own, in its processes too."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package's wheel; skips the test where no package index has hatchling to build it."""
    folder, repository = tmp_path_factory.mktemp("wheel"), Path(__file__).parents[1]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    done = subprocess.run([*pip, str(repository)], capture_output=True, text=True, check=False)
    if "No matching distribution found for hatchling" in done.stderr:
        pytest.skip("no package index is reached; building a wheel takes hatchling")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def data_root() -> Path:
    default = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("SGQ_AUTO_DATA", default))


@pytest.fixture(scope="session")
def real_raw(data_root: Path) -> Callable[[str], RawGraph]:
    """A real dataset by name; skips the test where its files are not at hand."""

    @cache
    def load(name: str) -> RawGraph:
        source = PygSource(_FAMILIES[name], name, str(data_root))
        if not source.raw_folder.is_dir():
            pytest.skip(f"no raw files of {name} in {source.raw_folder}; set SGQ_AUTO_DATA")
        return source.load()

    return load


@pytest.fixture(scope="session")
def real_graph(real_raw: Callable[[str], RawGraph]) -> Callable[[str], PreparedData]:
    """A real dataset by name, prepared as the papers do; a seeded split where it has none."""

    @cache
    def load(name: str) -> PreparedData:
        raw = real_raw(name)
        split = OwnOrPerClassSplit(20, val_per_class=30).split(raw)
        return prepare_graph(raw, split, BucketSettings(), normalize_rows=True)

    return load


@pytest.fixture(scope="session")
def cora_raw() -> RawGraph:
    return EmbeddedCora().load()


@pytest.fixture(scope="session")
def cora(cora_raw: RawGraph) -> PreparedData:
    split = PerClassSplit(20, num_val=500, num_test=1000).split(cora_raw)
    return prepare_graph(cora_raw, split, BucketSettings(), normalize_rows=True)


@pytest.fixture(scope="session")
def synthetic_raw() -> RawGraph:
    return SyntheticSource(300, 900, 80, 4, words_per_node=10, seed=1).load()


@pytest.fixture(scope="session")
def synthetic(synthetic_raw: RawGraph) -> PreparedData:
    split = PerClassSplit(10, num_val=80, num_test=120).split(synthetic_raw)
    return prepare_graph(synthetic_raw, split, BucketSettings(), normalize_rows=True)


def _twelve_nodes(name: str) -> RawGraph:
    x = np.random.default_rng(3).integers(0, 4, size=(12, 9)).astype(np.float32)
    x[:, 0] += 1
    edges = np.array(_ODD_EDGES[name], dtype=np.int64).reshape(-1, 2).T
    nodes = np.arange(12)
    split = Split(nodes[:6], nodes[6:9], nodes[9:])
    return RawGraph(name, scipy.sparse.csr_matrix(x), edges, nodes % 3, split)


@pytest.fixture(params=list(_ODD_EDGES))
def odd_raw(request: pytest.FixtureRequest) -> RawGraph:
    """A graph of 12 nodes, 9 features and 3 classes, odd in the way its name says."""
    return _twelve_nodes(request.param)


@pytest.fixture
def mixed_raw() -> RawGraph:
    """The 12-node graph that is odd in every way at once."""
    return _twelve_nodes("everything")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this run."""
    pytest.importorskip("psycopg", reason="the extra 'postgresql' is not installed")
    if postgres_binary("initdb") is None:
        pytest.skip("PostgreSQL's programs are not on this machine")
    with running_postgres() as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 32 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs the rights for it")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
