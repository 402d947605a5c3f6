"""Metrics in MLflow are called by what models are judged by."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from made_studies import confirmed_summary, made_progress
from sgq_auto.graphs import PreparedData
from sgq_auto.task import Metric
from sgq_auto.tracking import MlflowTracker, TrackingSettings
from sgq_auto.tracking.metric_names import metric_name
from sgq_auto.tracking.stores import studied_experiments

pytestmark = pytest.mark.system


def test_names_of_accuracy_stay_and_others_name_their_metric() -> None:
    name = "recommended_test_accuracy_drop"
    assert metric_name(name, Metric.ACCURACY) == name
    assert metric_name(name, Metric.ROC_AUC) == "recommended_test_roc_auc_drop"
    assert metric_name("wall_seconds", Metric.ROC_AUC) == "wall_seconds"


def test_a_study_by_another_metric_has_names_charts_and_a_view_of_its_own(
    synthetic: PreparedData, tracking: TrackingSettings, tmp_path: Path
) -> None:
    data = replace(synthetic, graph=replace(synthetic.graph, metric=Metric.MACRO_F1))
    progress = made_progress(data, tmp_path)
    tracker = MlflowTracker(tracking, tmp_path)
    tracker.open(progress)
    tracker.sync(progress)
    settings = replace(progress.bench.settings, n_trials=3)
    progress.bench = replace(progress.bench, settings=settings)
    tracker.close(progress, confirmed_summary(progress) | {"metric": "macro_f1"})
    client = MlflowClient(tracking.uri)
    ((experiment, metric),) = studied_experiments(tracking.uri)
    assert metric is Metric.MACRO_F1
    runs = client.search_runs([experiment.experiment_id])
    (study,) = (run for run in runs if "sgq_auto.study" in run.data.tags)
    trials = [run for run in runs if "sgq_auto.trial" in run.data.tags]
    assert len(trials) == 3
    logged = set(study.data.metrics)
    assert {"front_val_macro_f1", "confirmed_macro_f1", "confirmed_val_macro_f1"} <= logged
    assert {"recommended_test_macro_f1_drop", "full_precision_test_macro_f1"} <= logged
    assert not [name for name in logged if "accuracy" in name]
    assert all("val_macro_f1" in run.data.metrics for run in trials)
    tag = "mlflow.sharedViewState.sgq_auto-studies-macro_f1"
    state = json.loads(experiment.tags[tag])["state"]
    assert "front_val_macro_f1" in state
    assert "accuracy" not in state
