"""A packed model in MLflow: what lies in its folder, what it answers, and that it stays one."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from sgq_auto.graphs import PreparedData
from sgq_auto.models import GCN
from sgq_auto.packed import load, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.tracking.mlflow_model import ModelNotes, log_packed_model, save_packed_model
from sgq_auto.training import FitSettings, fit

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).parents[2]
NODES = [7, 0, 299, 7]
NOTES = ModelNotes({"dataset": "synthetic"}, {"bits.conv1.weight": "4"}, {"accuracy": 0.5}, 1000)

# Finds sgq_auto in the model's folder alone, wherever else it is installed.
ALONE = """
import json, sys
from importlib.machinery import PathFinder

folder = sys.argv[1]

class Hide:
    def find_spec(name, path=None, target=None):
        if name != "sgq_auto":
            return None
        spec = PathFinder.find_spec(name, [p for p in sys.path if p.startswith(folder)])
        if spec is None:
            raise ModuleNotFoundError(name)
        return spec

sys.meta_path.insert(0, Hide)
import mlflow, pandas

model = mlflow.pyfunc.load_model(folder)
table = model.predict(pandas.DataFrame({"node": json.loads(sys.argv[2])}))
compiled = "sgq_auto.packed.backends.numba_engine" in sys.modules
print(json.dumps([sys.modules["sgq_auto"].__file__, compiled, table["logits"].tolist()]))
"""


@pytest.fixture(scope="module")
def artifact(synthetic: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed GCN in a folder whose name MLflow must not take for an address."""
    graph = synthetic.graph
    plain = GCN(graph.features.num_features, graph.num_classes, hidden=4)
    sites = trace_spec(prepare(plain, graph), graph).sites(len(graph.bucket_nodes))
    model = prepare(plain, graph, BitAllocation.uniform(sites, 4))
    fit(model, graph, FitSettings(3, 0.05, 0.0), seed=0)
    path = tmp_path_factory.mktemp("a b#c%20d") / "trial-3.safetensors"
    save(convert(model, graph, {"study": "a test"}), path)
    return path


@pytest.fixture(scope="module")
def folder(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MLflow model of the artifact."""
    path = tmp_path_factory.mktemp("saved") / "model"
    save_packed_model(artifact, path)
    return path


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def run(client: MlflowClient, tmp_path: Path) -> Run:
    experiment = client.create_experiment("models", (tmp_path / "artifacts").as_uri())
    return client.create_run(experiment)


def rows(artifact: Path, nodes: list[int]) -> list[dict[str, Any]]:
    """What the runtime itself says of nodes, as the model should."""
    packed = load(artifact)
    logits = packed.predict(nodes)
    return [
        {
            "node": node,
            "class": packed.classes[row.argmax()],
            "class_index": int(row.argmax()),
            "logits": row.tolist(),
        }
        for node, row in zip(nodes, logits, strict=True)
    ]


def test_it_predicts_what_the_runtime_predicts(artifact: Path, folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    table = model.predict(pd.DataFrame({"node": NODES}))
    assert table.to_dict(orient="records") == rows(artifact, NODES)
    assert model.predict(pd.DataFrame({"node": np.empty(0, np.int64)})).empty


def test_its_signature_and_example_fit_what_it_does(folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    inputs, outputs = model.metadata.get_input_schema(), model.metadata.get_output_schema()
    assert inputs.to_dict() == [{"type": "long", "name": "node", "required": True}]
    table = model.predict(model.input_example)
    assert list(table) == outputs.input_names() == ["node", "class", "class_index", "logits"]
    assert table["node"].tolist() == [0]


@pytest.mark.parametrize("node", [300, -1])
def test_an_unknown_node_is_bad_input_that_is_named(folder: Path, node: int) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    with pytest.raises(MlflowException, match=f"node {node} is unknown; the 300 nodes") as info:
        model.predict(pd.DataFrame({"node": [0, node]}))
    assert info.value.get_http_status_code() == 400


def test_no_pickle_is_written_or_read(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    save_packed_model(artifact, tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    sources = {".py", ".c", ".h"}
    known = sources | {"", ".json", ".safetensors", ".txt", ".yaml"}
    assert {path.suffix for path in files} == known
    assert not any(path.read_bytes().startswith(pickle.PROTO) for path in files)
    mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_it_asks_for_little_and_for_what_the_package_does(folder: Path) -> None:
    mlflow_itself, *others = sorted((folder / "requirements.txt").read_text().split())
    assert mlflow_itself == f"mlflow=={mlflow.__version__}"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    runtime = ("numpy", "safetensors")
    assert others == [name for name in project["dependencies"] if name.startswith(runtime)]


@pytest.mark.slow
def test_it_needs_no_sgq_auto_where_it_is_loaded(artifact: Path, folder: Path) -> None:
    command = [sys.executable, "-c", ALONE, str(folder), json.dumps(NODES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, compiled, logits = json.loads(done.stdout)
    assert Path(found).is_relative_to(folder)
    assert not compiled
    np.testing.assert_allclose(logits, load(artifact).predict(NODES), atol=1e-5)


def test_a_project_of_uv_around_it_does_not_become_the_models(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("uv.lock", "pyproject.toml", ".python-version"):
        Path(name).write_text("")
    save_packed_model(artifact, tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert not names & {"uv.lock", "pyproject.toml", ".python-version"}


def test_it_is_logged_once_and_linked_to_its_run(
    client: MlflowClient, run: Run, artifact: Path
) -> None:
    before = mlflow.get_tracking_uri()
    uris = {log_packed_model(client, run, artifact, NOTES) for _ in range(2)}
    (model,) = client.search_logged_models([run.info.experiment_id])
    assert uris == {model.model_uri}
    assert (model.name, model.status, model.source_run_id) == ("trial-3", "READY", run.info.run_id)
    assert model.tags["dataset"] == "synthetic"
    assert model.params == NOTES.params
    assert {metric.key: metric.value for metric in model.metrics} == NOTES.metrics
    outputs = client.get_run(run.info.run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [model.model_id]
    assert (mlflow.get_tracking_uri(), mlflow.active_run()) == (before, None)


def test_a_model_that_a_kill_left_half_written_is_logged_again(
    client: MlflowClient, run: Run, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(client, "log_model_artifacts", _killed)
        with pytest.raises(KeyboardInterrupt):
            log_packed_model(client, run, artifact, NOTES)
    uri = log_packed_model(client, run, artifact, NOTES)
    (model,) = client.search_logged_models([run.info.experiment_id])
    assert (model.model_uri, model.status) == (uri, "READY")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_another_artifact_is_another_model(
    client: MlflowClient, run: Run, artifact: Path, tmp_path: Path
) -> None:
    first = log_packed_model(client, run, artifact, NOTES)
    other = tmp_path / "trial-4.safetensors"
    packed = load(artifact)
    packed.source["trial"] = 4
    save(packed, other)
    second = log_packed_model(client, run, other, NOTES)
    assert first != second
    assert len(client.search_logged_models([run.info.experiment_id])) == 2


def test_mlflow_serves_it(client: MlflowClient, run: Run, artifact: Path, tmp_path: Path) -> None:
    uri = log_packed_model(client, run, artifact, NOTES)
    with served(uri, client.tracking_uri, tmp_path / "log") as address:
        body = {"dataframe_records": [{"node": node} for node in NODES]}
        assert asked(address, body) == (200, {"predictions": rows(artifact, NODES)})
        status, answer = asked(address, {"dataframe_records": [{"node": 300}]})
        assert status == 400
        assert "node 300 is unknown; the 300 nodes are 0 to 299" in answer["message"]


@contextmanager
def served(uri: str, tracking_uri: str, log: Path) -> Iterator[str]:
    """The address at which ``mlflow models serve`` answers; it is always ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    # MLflow starts uvicorn by its name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": tracking_uri}
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/ping", server, log)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_until_ready(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server did not get going: {log.read_text()}")


def asked(address: str, body: dict[str, Any]) -> tuple[int, Any]:
    """The status and the answer to a request."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
