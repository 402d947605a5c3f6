"""A comparison as a run of its own in MLflow."""

import time
from collections.abc import Sequence
from pathlib import Path

from mlflow.entities import Metric, Param

from sgq_auto.comparison.comparison import Comparison
from sgq_auto.tracking.mlflow_internals import NOTE_TAG
from sgq_auto.tracking.stores import open_store
from sgq_auto.tracking.tracking_settings import TrackingSettings


def log_comparison(
    comparison: Comparison, files: Sequence[Path], settings: TrackingSettings
) -> str:
    """Log a comparison with its files.

    Args:
        comparison: The studies.
        files: What was written of it; Markdown becomes the run's description.
        settings: The store, and the experiment of comparisons.

    Returns:
        The run's ID.

    Raises:
        Exception: Whatever the store throws.
    """
    client, experiment_id = open_store(settings)
    run = client.create_run(experiment_id, run_name=comparison.title)
    run_id = str(run.info.run_id)
    now = int(time.time() * 1000)
    metrics = [Metric("studies", len(comparison.summaries), now, 0)]
    params = [Param(f"study.{k}", s["study"]) for k, s in enumerate(comparison.summaries)]
    client.log_batch(run_id, metrics, [Param("objective", comparison.objective), *params])
    for path in files:
        client.log_artifact(run_id, str(path))
        if path.suffix == ".md":
            client.set_tag(run_id, NOTE_TAG, path.read_text(encoding="utf-8"))
    client.set_terminated(run_id)
    return run_id
