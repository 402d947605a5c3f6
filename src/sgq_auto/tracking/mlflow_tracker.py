"""MLflow: one parent run a study, one nested run a trial, and the recommended one as a model.

Writing goes around the fluent API: one run, one batch, one end a trial. What is there already is
read from the store, so that anything can be delivered at any time, and only once.
"""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunStatus, RunTag

from sgq_auto.reporting.report import answer, warning
from sgq_auto.reporting.result_files import result_files
from sgq_auto.reporting.written_units import metric_of
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.text.passwords import mask
from sgq_auto.tracking.front_metrics import front_metrics, logged_points, point_of
from sgq_auto.tracking.metric_names import metric_name
from sgq_auto.tracking.mlflow_internals import NOTE_TAG, PARENT_TAG, SOURCE_TAGS, charts_url
from sgq_auto.tracking.mlflow_model import ModelNotes, log_packed_model
from sgq_auto.tracking.runs.study_params import study_params
from sgq_auto.tracking.runs.study_run import (
    BATCH,
    HYPERVOLUME,
    child_runs,
    find_study_run,
    log_metrics,
    log_params,
    replace_study_run,
)
from sgq_auto.tracking.runs.trial_run import trial_metrics, trial_params
from sgq_auto.tracking.runs.tuning_runs import log_tuning
from sgq_auto.tracking.stores import STUDY_TAG, open_store
from sgq_auto.tracking.tracking_settings import TrackingSettings
from sgq_auto.tracking.views import SavedView, studies_view, trials_view
from sgq_auto.tracking.views.saved_views import save_views
from sgq_auto.tracking.views.trial_axes import trial_axes

_TRIAL_TAG = "sgq_auto.trial"
_RECOMMENDED = "recommended"


class MlflowTracker:
    """Keeps MLflow in step with a study.

    See :class:`~sgq_auto.tracking.tracking_delivery.TrackingStore`.

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
        # Short names of the groups whose bits the charts of trials show.
        self._axes: dict[str, str] = {}
        # What each trial's run says about the front, as far as this process wrote it.
        self._marked: dict[int, bool] = {}

    @property
    def address(self) -> str:
        """What the store is called in messages, without a password."""
        return f"MLflow at {mask(self.settings.uri)}"

    @property
    def notes(self) -> list[str]:
        """What is to be said of the store first: which variables chose it."""
        settings = self.settings
        if not settings.variables:
            return []
        name = settings.experiment or f"with ID {settings.experiment_id}"
        chosen = ", ".join(settings.variables)
        return [f"Tracked in {self.address}, experiment {name} ({chosen})"]

    def open(self, progress: StudyProgress) -> None:
        """Find or make the parent run, and find out which trials have theirs."""
        client, experiment_id = open_store(self.settings)
        self._client = client
        found = find_study_run(client, experiment_id, progress.study_name)
        if found is not None:
            self._parent = found
            client.update_run(found.info.run_id, status="RUNNING")
        else:
            own_tags = progress.bench.settings.names
            tags = {STUDY_TAG: progress.study_name, **SOURCE_TAGS, **own_tags}
            self._parent = client.create_run(experiment_id, tags=tags, run_name=progress.study_name)
            log_params(client, self._parent, study_params(progress))
        for name, value in self.settings.named_tags.items():
            client.set_tag(self._parent.info.run_id, name, value)
        self._axes = trial_axes(progress.bench.space.searched, progress.start)
        studies = studies_view(STUDY_TAG, progress.bench.graph.metric)
        trials = self._trials_view(progress, self._parent.info.run_id)
        save_views(client, experiment_id, [studies, trials])
        if progress.tuning is not None:
            log_tuning(client, self._parent, progress.tuning, progress.bench.graph.metric)
        self._tracked = self._tracked_trials()

    def _trials_view(self, progress: StudyProgress, run_id: str) -> SavedView:
        settings = progress.bench.settings
        what = f"{settings.model.name} on {settings.dataset}, {settings.granularity.value}"
        name, bits = f"{what}, seed {settings.seed}", list(self._axes.values())
        judged = progress.bench.graph.metric
        return trials_view(PARENT_TAG, run_id, name, bits, settings.objective.value, judged)

    def _tracked_trials(self) -> dict[int, str]:
        client, parent = self._open_runs()
        runs: dict[int, str] = {}
        for run in child_runs(client, parent):
            if _TRIAL_TAG not in run.data.tags:
                continue
            number = int(run.data.tags[_TRIAL_TAG])
            if run.info.status == RunStatus.to_string(RunStatus.RUNNING) or number in runs:
                client.delete_run(run.info.run_id)  # A kill left it half-written.
            else:
                runs[number] = run.info.run_id
        return runs

    def sync(self, progress: StudyProgress) -> None:
        """Log the trials that are not tracked yet, each as a run below the study's.

        Whatever MLflow's client raises is for the caller;
        :class:`~sgq_auto.tracking.tracking_delivery.Delivery` opens the store again then.
        """
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
            steps.append(Metric(HYPERVOLUME, value, record.end_ms, step + 1))
        log_metrics(client, parent, steps)

    def _log_trial(self, progress: StudyProgress, record: TrialRecord, *, is_pareto: bool) -> str:
        client, parent = self._open_runs()
        run = client.create_run(
            parent.info.experiment_id,
            start_time=record.start_ms,
            run_name=f"trial {record.number}",
            tags={PARENT_TAG: parent.info.run_id, _TRIAL_TAG: str(record.number)},
        )
        tags = [] if record.failure is None else [RunTag("failure", record.failure[:5000])]
        tags += [RunTag("stopped_early", "true")] if record.stopped_early else []
        tags += [RunTag("repeat", str(record.repeat))] if record.repeat else []
        client.log_batch(
            run.info.run_id,
            metrics=trial_metrics(progress, record, is_pareto=is_pareto)[:BATCH],
            params=trial_params(progress, record, self._axes),
            tags=tags,
        )
        status = "FINISHED" if record.complete else "KILLED" if record.stopped_early else "FAILED"
        client.set_terminated(run.info.run_id, status, record.end_ms)
        return str(run.info.run_id)

    def close(self, progress: StudyProgress, summary: Summary) -> None:
        """Bring every run up to date; log the summary, the front and the model to the parent."""
        client, parent = self._open_runs()
        # Read again: Ctrl-C may have cut a trial's run short.
        self._tracked = self._tracked_trials()
        self.sync(progress)
        self._mark_front(progress)
        self._log_front(progress, summary)
        client, parent = self._open_runs()
        run_id, now = parent.info.run_id, _last_ms(progress)
        metrics = [Metric(k, v, now, 0) for k, v in _summary_metrics(summary).items()]
        client.log_batch(run_id, metrics=metrics)
        artifact = (summary["recommended"] or {}).get("artifact_path")
        for path in [*result_files(self.output_dir), *([Path(artifact)] if artifact else [])]:
            client.log_artifact(run_id, str(path))
        client.set_tag(run_id, NOTE_TAG, _note(summary, parent))
        client.set_terminated(run_id, "KILLED" if _interrupted(progress) else "FINISHED")
        self._log_model(progress, summary)

    def _log_front(self, progress: StudyProgress, summary: Summary) -> None:
        """Bring the histories of the front and of the confirmed points up to date.

        A study that is interrupted has none yet, so that it can go on without another run: where
        logged points no longer hold, a new run takes the parent's place.
        """
        client, parent = self._open_runs()
        parent = client.get_run(parent.info.run_id)
        logged = logged_points(client, parent)
        if _interrupted(progress) and not logged:
            return
        metrics = front_metrics(summary, _last_ms(progress))
        if not logged <= {point_of(metric) for metric in metrics}:
            self._parent, logged = replace_study_run(client, parent), set()
        new = [metric for metric in metrics if point_of(metric) not in logged]
        log_metrics(client, self._parent or parent, new)

    def _log_model(self, progress: StudyProgress, summary: Summary) -> None:
        best = summary["recommended"] or {}
        if not best.get("artifact_path"):
            return
        client, parent = self._open_runs()
        trial = {STUDY_TAG: progress.study_name, _TRIAL_TAG: str(best["trial"])}
        metrics = _summary_metrics(summary).items()
        notes = ModelNotes(
            tags={**progress.bench.settings.names, **trial},
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


def _last_ms(progress: StudyProgress) -> int:
    """When the last trial ended: the time of all that sums a search up."""
    return max((record.end_ms for record in progress.records), default=0)


def _interrupted(progress: StudyProgress) -> bool:
    wanted = progress.bench.settings.n_trials if progress.start.allocations else 0
    return len(progress.records) < wanted


def _note(summary: Summary, parent: Run) -> str:
    """What the UI shows above a study's run."""
    trials = charts_url("", parent.info.experiment_id, parent.info.run_id)
    first = "\n\n".join(filter(None, (answer(summary), warning(summary))))
    return f"{first}\n\n[Compare its trials]({trials}); the whole is in the artifact `report.html`."


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
    judged = metric_of(summary)
    return {
        metric_name(name, judged): float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float)
    }
