"""MLflow: one parent run a study, one nested run a trial, and the recommended one as a model.

Writing goes around the fluent API (one run, one batch, one end a trial), and a store that fails
costs a warning, never the search: what is missing is delivered by the next call or the next run.
"""

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus, RunTag

from sgq_auto.searching.progress import StudyProgress
from sgq_auto.searching.records import TrialRecord
from sgq_auto.searching.summary import Summary, trial_sizes, write_summary
from sgq_auto.tracking.packed_model import ModelNotes, log_packed_model
from sgq_auto.tracking.plots import save_front_html, save_front_png, save_sensitivities_png

_logger = logging.getLogger(__name__)

_STUDY_TAG = "sgq_auto.study"
_TRIAL_TAG = "sgq_auto.trial"
_PARENT_TAG = "mlflow.parentRunId"
_RECOMMENDED = "recommended"
# Metrics that a batch may hold at most.
_BATCH = 1000


@dataclass(frozen=True)
class TrackingSettings:
    """Where runs are tracked.

    Attributes:
        uri: MLflow tracking URI.
        artifacts: Folder of artifacts of new experiments.
        experiment: Experiment name.
    """

    uri: str
    artifacts: Path
    experiment: str


class MlflowTracker:
    """Follows a search and keeps MLflow in step with the study.

    Attributes:
        model_uri: The recommended model in the store, once it is there.
    """

    def __init__(self, settings: TrackingSettings, output_dir: Path) -> None:
        self.settings = settings
        self.output_dir = output_dir
        self.model_uri: str | None = None
        self._client: MlflowClient | None = None
        self._parent: Run | None = None
        self._tracked: dict[int, str] = {}
        # What each trial's run says about the front, as far as this process wrote it.
        self._marked: dict[int, bool] = {}
        self._failed = False
        self._leads = True

    def started(self, progress: StudyProgress) -> None:
        """Find or make the parent run, and deliver trials that an earlier run could not."""
        self._attempt(self._open, progress)

    def joined(self, progress: StudyProgress) -> None:  # noqa: ARG002
        """Another command tracks the study."""
        self._leads = False

    def left(self, progress: StudyProgress) -> None:
        """Another command tracked the study."""

    def trials_finished(self, progress: StudyProgress, new: Sequence[TrialRecord]) -> None:
        """Log the trials that are not tracked yet."""
        if new and self._leads and not self._failed:
            self._attempt(self._sync, progress)

    def confirming(self, done: int, total: int) -> None:
        """The confirm stage is logged with the summary."""

    def finished(self, progress: StudyProgress, summary: Summary) -> None:
        """Bring every run up to date; log the summary, the front and the model to the parent."""
        # One more try for a store that was away for a while.
        self._failed = False
        if self._parent is None:
            self._attempt(self._open, progress)
        self._attempt(self._close, progress, summary)
        self._attempt(self._log_model, progress, summary)

    @property
    def delivered(self) -> bool:
        """Whether everything so far reached the store."""
        return not self._failed

    def _attempt(self, action: Any, *args: Any) -> None:
        if self._failed:
            return
        try:
            action(*args)
        except Exception as error:  # Whatever a store throws, the search goes on.
            self._failed = True
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            _logger.warning(
                "MLflow at %s failed (%s); the search goes on, and the same command will deliver "
                "what is missing",
                self.settings.uri,
                reason,
            )

    def _open(self, progress: StudyProgress) -> None:
        client, experiment_id = _open_store(self.settings)
        self._client = client
        parents = client.search_runs(
            [experiment_id], f"tags.`{_STUDY_TAG}` = '{progress.study_name}'", max_results=1
        )
        if parents:
            self._parent = parents[0]
            client.update_run(self._parent.info.run_id, status="RUNNING")
        else:
            tags = {_STUDY_TAG: progress.study_name, **_study_tags(progress)}
            self._parent = client.create_run(experiment_id, tags=tags, run_name=progress.study_name)
            params = [Param(k, str(v)) for k, v in _study_params(progress).items()]
            client.log_batch(self._parent.info.run_id, params=params)
        self._tracked = self._tracked_trials()
        self._sync(progress)

    def _tracked_trials(self) -> dict[int, str]:
        client, parent = self._open_runs()
        runs: dict[int, str] = {}
        token = None
        while True:
            page = client.search_runs(
                [parent.info.experiment_id],
                f"tags.`{_PARENT_TAG}` = '{parent.info.run_id}'",
                page_token=token,
            )
            for run in page:
                number = int(run.data.tags[_TRIAL_TAG])
                if run.info.status == RunStatus.to_string(RunStatus.RUNNING) or number in runs:
                    client.delete_run(run.info.run_id)  # A kill left it half-written.
                else:
                    runs[number] = run.info.run_id
            token = page.token
            if not token:
                return runs

    def _sync(self, progress: StudyProgress) -> None:
        client, parent = self._open_runs()
        steps = []
        on_front = {record.number for record in progress.front}
        for step, record in enumerate(progress.records):
            if record.number in self._tracked:
                continue
            is_pareto = record.number in on_front
            self._tracked[record.number] = self._log_trial(progress, record, is_pareto=is_pareto)
            self._marked[record.number] = is_pareto
            value = progress.hypervolumes[step]
            steps.append(Metric("hypervolume", value, record.end_ms, step + 1))
        for start in range(0, len(steps), _BATCH):
            client.log_batch(parent.info.run_id, metrics=steps[start : start + _BATCH])

    def _log_trial(self, progress: StudyProgress, record: TrialRecord, *, is_pareto: bool) -> str:
        client, parent = self._open_runs()
        run = client.create_run(
            parent.info.experiment_id,
            start_time=record.start_ms,
            run_name=f"trial {record.number}",
            tags={_PARENT_TAG: parent.info.run_id, _TRIAL_TAG: str(record.number)},
        )
        bits = progress.allocation(record).by_name()
        tags = [] if record.failure is None else [RunTag("failure", record.failure[:5000])]
        tags += [RunTag("stopped_early", "true")] if record.stopped_early else []
        tags += [RunTag("repeat", str(record.repeat))] if record.repeat else []
        client.log_batch(
            run.info.run_id,
            metrics=_trial_metrics(progress, record, is_pareto=is_pareto)[:_BATCH],
            params=[Param(f"bits.{site}", str(width)) for site, width in bits.items()],
            tags=tags,
        )
        status = "FINISHED" if record.complete else "KILLED" if record.stopped_early else "FAILED"
        client.set_terminated(run.info.run_id, status, record.end_ms)
        return str(run.info.run_id)

    def _close(self, progress: StudyProgress, summary: Summary) -> None:
        client, parent = self._open_runs()
        # Read again: Ctrl-C may have cut a trial's run short.
        self._tracked = self._tracked_trials()
        self._sync(progress)
        self._mark_front(progress)
        run_id = parent.info.run_id
        now = _last_ms(progress)
        metrics = [Metric(k, v, now, 0) for k, v in _summary_metrics(summary).items()]
        client.log_batch(run_id, metrics=metrics)
        for path in _write_artifacts(progress, summary, self.output_dir):
            client.log_artifact(run_id, str(path))
        wanted = progress.bench.settings.n_trials if progress.start.allocations else 0
        interrupted = len(progress.records) < wanted
        client.set_terminated(run_id, "KILLED" if interrupted else "FINISHED")

    def _log_model(self, progress: StudyProgress, summary: Summary) -> None:
        best = summary["recommended"] or {}
        if not best.get("artifact_path"):
            return
        client, parent = self._open_runs()
        trial = {_STUDY_TAG: progress.study_name, _TRIAL_TAG: str(best["trial"])}
        metrics = _summary_metrics(summary).items()
        notes = ModelNotes(
            tags={**_study_tags(progress), **trial},
            params={f"bits.{site}": str(width) for site, width in best["bits"].items()},
            metrics={k: v for k, v in metrics if k.startswith(_RECOMMENDED)},
            time_ms=_last_ms(progress),
        )
        self.model_uri = log_packed_model(client, parent, Path(best["artifact_path"]), notes)

    def _mark_front(self, progress: StudyProgress) -> None:
        """Trials may have been overtaken, or a lucky one before them unmasked, since they ended."""
        client, _ = self._open_runs()
        on_front = {point.number for point in progress.front}
        for record in progress.records:
            is_pareto = record.number in on_front
            if record.complete and self._marked.get(record.number) != is_pareto:
                metric = Metric("is_pareto", float(is_pareto), record.end_ms + 1, 0)
                client.log_batch(self._tracked[record.number], metrics=[metric])
                self._marked[record.number] = is_pareto

    def _open_runs(self) -> tuple[MlflowClient, Run]:
        if self._client is None or self._parent is None:
            raise RuntimeError("the tracking store was never reached")
        return self._client, self._parent


def _open_store(settings: TrackingSettings) -> tuple[MlflowClient, str]:
    """A client and the experiment, both made under a lock: a fresh store is set up by one alone."""
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    if settings.uri.startswith("sqlite:///"):
        Path(settings.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.artifacts.parent / "mlflow.lock"):
        client = MlflowClient(settings.uri)
        experiment = client.get_experiment_by_name(settings.experiment)
        if experiment is not None:
            return client, experiment.experiment_id
        location = settings.artifacts.resolve().as_uri()
        return client, client.create_experiment(settings.experiment, location)


def _last_ms(progress: StudyProgress) -> int:
    """When the last trial ended: the time of all that sums a search up."""
    return max((record.end_ms for record in progress.records), default=0)


def _study_tags(progress: StudyProgress) -> dict[str, str]:
    settings = progress.bench.settings
    return {
        "dataset": settings.dataset,
        "model": settings.model.name,
        "granularity": settings.granularity.value,
        "sampler": settings.sampler_name,
    }


def _study_params(progress: StudyProgress) -> dict[str, Any]:
    settings = progress.bench.settings
    return {
        **_study_tags(progress),
        "seed": settings.seed,
        "max_kib": settings.budget.max_kib,
        "max_drop": settings.budget.max_drop,
        "seeding": settings.seeding,
        "early_stopping": settings.early_stopping,
        "remeasuring": settings.remeasuring,
        "objective": settings.objective.value,
        "ladder": list(settings.ladder),
        "ranges": settings.ranges.value,
        "split_points": list(progress.bench.graph.split_points),
        "finetune_epochs": settings.finetune.epochs,
        "pretrain_epochs": settings.pretrain.epochs,
    }


def _trial_metrics(
    progress: StudyProgress, record: TrialRecord, *, is_pareto: bool
) -> list[Metric]:
    if record.measurement is None:
        return []
    measured = record.measurement
    values = {
        "val_accuracy": measured.val_accuracy,
        **trial_sizes(progress.bench.footprints, measured.footprint),
        "average_bits": measured.average_bits,
        "is_pareto": float(is_pareto),
        "finetune_seconds": measured.finetune_seconds,
    }
    if measured.forecast is not None:
        values["forecast_val_accuracy"] = measured.forecast
    metrics = [Metric(name, value, record.end_ms, 0) for name, value in values.items()]
    curve = [Metric("epoch_val_accuracy", acc, record.end_ms, e) for e, acc in measured.curve]
    return metrics + curve


def _summary_metrics(summary: Summary) -> dict[str, float]:
    """The numbers of a summary, nested names joined by underscores."""
    metrics: dict[str, float] = {}
    for name in (
        "hypervolume",
        "wall_seconds",
        "trials_per_second",
        "overhead_fraction",
        "epochs_saved_fraction",
        "val_accuracy_noise",
    ):
        metrics[f"final_{name}" if name == "hypervolume" else name] = summary[name]
    for prefix in ("full_precision", _RECOMMENDED):
        for name, value in (summary[prefix] or {}).items():
            metrics[f"{prefix}_{name}"] = value
    metrics |= {f"trials_{state}": count for state, count in summary["trials"].items()}
    return {k: float(v) for k, v in metrics.items() if isinstance(v, int | float)}


def _write_artifacts(progress: StudyProgress, summary: Summary, folder: Path) -> list[Path]:
    paths = [folder / name for name in ("front.png", "front.html", "summary.json")]
    save_front_png(progress, summary, paths[0])
    save_front_html(progress, summary, paths[1])
    write_summary(summary, paths[2])
    sensitivities = progress.start.sensitivities
    if sensitivities is not None:
        paths += [folder / name for name in ("sensitivities.png", "sensitivities.json")]
        save_sensitivities_png(sensitivities, paths[3])
        paths[4].write_text(json.dumps(sensitivities.as_dict()) + "\n")
    artifact = (summary["recommended"] or {}).get("artifact_path")
    return [*paths, Path(artifact)] if artifact else paths
