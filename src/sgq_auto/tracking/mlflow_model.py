"""Packed models as MLflow models, which ``mlflow models serve`` answers requests with."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

import sgq_auto
from sgq_auto.packed import PackedModel, load
from sgq_auto.task import Task

# What the packed runtime imports beside three packages.
_RUNTIME_FILES = ("__init__.py", "objective.py", "task.py")
_SCRIPT = Path(__file__).with_name("served_model.py")
_DIGEST_TAG = "sgq_auto.sha256"
_NODE = ColSpec(DataType.long, "node")
_CLASSES = (
    ColSpec(DataType.string, "class"),
    ColSpec(DataType.long, "class_index"),
    ColSpec(Array(DataType.float), "logits"),
)
_LABELS = (
    ColSpec(Array(DataType.string), "labels"),
    ColSpec(Array(DataType.float), "probabilities"),
)
_NUMBERS = (ColSpec(Array(DataType.float), "values"),)
# sgq_auto itself comes as a copy. MLflow is what wrote the folder and must read it.
_REQUIREMENTS = (f"mlflow=={mlflow.__version__}", "numpy>=2.0", "safetensors>=0.5")
# MLflow takes the working folder for the model's own project if it is one of uv's, and would
# serve the model in that project's environment.
_UV_FILES = ("uv.lock", "pyproject.toml", ".python-version")


@dataclass(frozen=True)
class ModelNotes:
    """What MLflow shows beside a model.

    Attributes:
        tags: Where it comes from.
        params: Its bits by site.
        metrics: Its accuracies and sizes.
        time_ms: When they were measured, in milliseconds since 1970.
    """

    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    time_ms: int


def log_packed_model(client: MlflowClient, run: Run, artifact: Path, notes: ModelNotes) -> str:
    """Log an artifact as a model that the run has made; the same file is never logged twice.

    Args:
        client: The store.
        run: The run.
        artifact: A packed model.
        notes: What is shown beside it.

    Returns:
        The model's URI, ``models:/ID``.

    Raises:
        MlflowException: If the store fails; what it holds then is replaced by the next call.
        OSError: If the artifact cannot be read.
    """
    with artifact.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for model in _logged(client, run, digest):
        if model.status == LoggedModelStatus.READY:
            return str(model.model_uri)
        client.delete_logged_model(model.model_id)  # A kill left it half-written.
    model = client.create_logged_model(
        run.info.experiment_id,
        name=artifact.stem,
        source_run_id=run.info.run_id,
        tags={**notes.tags, _DIGEST_TAG: digest},
        params=dict(notes.params),
    )
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        save_packed_model(artifact, folder, _described(model))
        client.log_model_artifacts(model.model_id, str(folder))
    _link(client, run, model, notes)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_uri)


def save_packed_model(artifact: Path, folder: Path, description: Model | None = None) -> None:
    """Write an artifact as a model of the flavour ``mlflow.pyfunc``.

    The folder holds the artifact, a script and a copy of the packed runtime: no pickle, and
    nothing that needs sgq_auto where it is served.

    Args:
        artifact: A packed model.
        folder: Where the model goes; it is made.
        description: Where it is logged, if it is.
    """
    signature, example = _asked(load(artifact))
    with TemporaryDirectory() as scratch:
        runtime = Path(scratch) / "runtime"
        _copy_runtime(runtime)
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=description,
            python_model=_SCRIPT,
            artifacts={"model": artifact.resolve().as_uri(), "runtime": runtime.as_uri()},
            signature=signature,
            input_example=example,
            pip_requirements=list(_REQUIREMENTS),
        )
    for name in _UV_FILES:
        (folder / name).unlink(missing_ok=True)


def _asked(model: PackedModel) -> tuple[ModelSignature, pd.DataFrame]:
    """What requests hold and what answers do, and an example of a request."""
    answers = _answers(model.task)
    if model.holds_features:
        signature = ModelSignature(Schema([_NODE]), Schema([_NODE, *answers]))
        return signature, pd.DataFrame({"node": [0]})
    nodes = model.num_nodes if model.holds_graph else 2
    row: dict[str, Any] = {"x": [[0.0] * model.features.spec.num_features] * nodes}
    inputs: list[ColSpec | TensorSpec] = [ColSpec(Array(Array(DataType.double)), "x")]
    if not model.holds_graph:
        row["edge_index"] = [[0, 1], [1, 0]]
        inputs.append(ColSpec(Array(Array(DataType.long)), "edge_index"))
        columns = model.graph.spec.edge_columns
        if columns > 1:
            row["edge_attr"] = [[1.0] * columns] * 2
            inputs.append(ColSpec(Array(Array(DataType.double)), "edge_attr"))
        elif model.graph.weights is not None:
            row["edge_weight"] = [1.0, 1.0]
            inputs.append(ColSpec(Array(DataType.double), "edge_weight"))
    named = [ColSpec(DataType.long, "graph"), *([] if model.task.predicts_graphs else [_NODE])]
    return ModelSignature(Schema(inputs), Schema([*named, *answers])), pd.DataFrame([row])


def _answers(task: Task) -> Sequence[ColSpec]:
    """The columns of what a model answers."""
    if task.is_classification:
        return _CLASSES
    return _NUMBERS if task.is_regression else _LABELS


def _copy_runtime(folder: Path) -> None:
    """The part of sgq_auto that predicts."""
    package = Path(sgq_auto.__file__).parent
    copy = folder / package.name
    caches = shutil.ignore_patterns("__pycache__")
    for name in ("packed", "errors", "files", "text"):
        shutil.copytree(package / name, copy / name, ignore=caches)
    for name in _RUNTIME_FILES:
        shutil.copy(package / name, copy)


def _logged(client: MlflowClient, run: Run, digest: str) -> list[LoggedModel]:
    models = client.search_logged_models(
        [run.info.experiment_id], f"tags.`{_DIGEST_TAG}` = '{digest}'"
    )
    outputs = client.get_run(run.info.run_id).outputs
    # A run that took another's place has its models too.
    own = {model.model_id for model in outputs.model_outputs} if outputs else set()
    return [m for m in models if m.source_run_id == run.info.run_id or m.model_id in own]


def _described(model: LoggedModel) -> Model:
    return Model(
        artifact_path=model.artifact_location,
        run_id=model.source_run_id,
        model_uuid=model.model_id,
        model_id=model.model_id,
    )


def _link(client: MlflowClient, run: Run, model: LoggedModel, notes: ModelNotes) -> None:
    """Make the model an output of the run, and the metrics the model's."""
    run_id = run.info.run_id
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    metrics = [
        Metric(name, value, notes.time_ms, 0, model_id=model.model_id, run_id=run_id)
        for name, value in notes.metrics.items()
    ]
    client.log_batch(run_id, metrics=metrics)
