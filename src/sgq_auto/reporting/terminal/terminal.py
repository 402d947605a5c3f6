"""What the person at the terminal sees."""

import logging
import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sgq_auto.quantize import GenericLayerWarning
from sgq_auto.reporting.report import warning
from sgq_auto.reporting.terminal.confirmed_table import column_note, confirmed_columns
from sgq_auto.reporting.terminal.console import output_console, print_words
from sgq_auto.reporting.terminal.stage_lines import stage_view
from sgq_auto.reporting.terminal.tables import print_columns
from sgq_auto.reporting.verdict import file_lines, more_than_allowed, promised, why_this_one
from sgq_auto.reporting.written_units import kib, percent
from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.search_progress import StudyProgress, Summary, Watcher
from sgq_auto.searching.study.command_lines import export_command, sync_command
from sgq_auto.searching.trials.trial_records import TrialRecord

_WIDE = 100


class Terminal(Watcher):
    """What a search does while it runs, and a table at its end.

    Args:
        summary_path: Where the summary will be.
        report_path: Where the report will be, if it can be written.
        ui_command: What opens MLflow's UI on the study.
        notes: How the graph was read and where results go; printed first.
    """

    def __init__(
        self,
        summary_path: Path,
        report_path: Path,
        ui_command: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.summary_path = summary_path
        self.report_path = report_path
        self.ui_command = ui_command
        self.console = output_console()
        self._notes = list(notes)
        self._stages = stage_view(self.console)

    def stage(self, stage: Stage | None) -> None:
        """Say what is done now, for as long as it takes."""
        self._say_notes()
        if stage is None:
            self._stages.close()
        else:
            self._stages.show(stage)

    def said(self, line: str) -> None:
        """Print a line, broken between words where the terminal is too narrow."""
        self._say_notes()
        print_words(self.console, line)

    def started(self, progress: StudyProgress) -> None:
        """Say how the graph was read and what is searched."""
        bench, metric = progress.bench, progress.bench.graph.metric
        searched = len(bench.space.searched)
        accuracy = (
            f"{metric.text(bench.pretrained.val_accuracy)} validation {metric.words} "
            f"(seed {bench.settings.seed}) in "
            if bench.is_trained
            else ""
        )
        self.said(
            f"{progress.study_name}: {searched} bit-width{'' if searched == 1 else 's'}, full "
            f"precision {accuracy}{kib(progress.full_bytes)}"
        )
        if bench.generic is not None:
            self.said(f"Layers {bench.generic}")
        if bench.unpackable is not None:
            self.said(
                f"This model cannot be packed ({bench.unpackable}): the sizes are those of its "
                "packed parts, and no artifact will be written",
            )
        if not progress.leads:
            self.said(
                "another command leads this study: it tracks the study, confirms the front and "
                "writes the summary"
            )
        if bench.nothing_fits is None:
            self.trials_finished(progress, ())

    def left(self, progress: StudyProgress) -> None:
        """Say that this command ends, and that the one that leads the study confirms its front."""
        self._stages.close()
        done, total = len(progress.records), progress.bench.settings.n_trials
        self.said(
            f"{done} of {total} trials are done; the command that leads the study confirms its "
            "front. If that command has ended, run this one again to take over."
        )

    def trials_finished(self, progress: StudyProgress, new: Sequence[TrialRecord]) -> None:
        """Count trials; failures are said in a line of their own."""
        for record in new:
            if record.failure:
                self.said(f"trial {record.number} failed: {record.failure}")
        done, total = len(progress.records), progress.bench.settings.n_trials
        if done < total or new:
            self._stages.show(Stage("trials", done, total), self._state(progress))

    def _state(self, progress: StudyProgress) -> str:
        """What is known so far; the shorter, the narrower the terminal."""
        if not progress.records:
            return "workers are starting"
        tolerance = progress.bench.settings.allowed_drop
        best = progress.best_within(tolerance)
        ratio = f"{progress.full_bytes / best.num_bytes:.1f}x" if best else "none yet"
        unit = progress.bench.graph.metric.unit
        within = f" within {tolerance:g} {unit}" if self.console.width >= _WIDE else ""
        return f"hypervolume {progress.hypervolume:.3f}, best{within} {ratio}"

    def finished(self, progress: StudyProgress, summary: Summary) -> None:
        """Print the confirmed trials, what is recommended and why, and where the files are."""
        self._stages.close()
        self._say_notes()
        if progress.bench.nothing_fits is None:
            print_columns(self.console, confirmed_columns(summary))
        self._say_all(column_note(summary))
        if summary["recommended"]:
            self._recommend(summary)
        else:
            self.said(f"No recommendation: {summary['recommended_reason']}")
            self._say_all(promised(summary))
            self._advise(progress, summary["nearest_miss"] or {})
        if found := warning(summary):
            self.said(found)
        self._count(progress, summary)
        if self.report_path.exists():
            self.console.print(f"Report: {self.report_path}")
        self.console.print(f"Summary: {self.summary_path}")
        self.console.print(f"Compare in the MLflow UI: {self.ui_command}")

    def _say_notes(self) -> None:
        notes, self._notes = self._notes, []
        for note in notes:
            print_words(self.console, note)

    def _say_all(self, *lines: str | None) -> None:
        """Print those lines that there are."""
        for line in lines:
            if line is not None:
                self.said(line)

    def _count(self, progress: StudyProgress, summary: Summary) -> None:
        """How many trials did not run to their end."""
        stopped, saved = summary["trials"]["stopped_early"], summary["epochs_saved_fraction"]
        if stopped:
            self.said(
                f"{stopped} of {len(progress.records)} trials were stopped early: "
                f"{percent(saved)} of the epochs saved"
            )
        failed = summary["trials"]["failed"]
        if failed:
            self.said(f"{failed} of {len(progress.records)} trials failed")

    def _recommend(self, summary: Summary) -> None:
        best = summary["recommended"]
        self._say_all(*file_lines(summary), why_this_one(summary), more_than_allowed(summary))
        if best["artifact_path"]:
            self.console.print(
                f"Artifact: {best['artifact_path']} ({kib(best['artifact_file_bytes'])})"
            )
            folder = shlex.quote(str(self.summary_path.parent))
            self.console.print(f"Predict with it: python -m sgq_auto.infer artifact={folder}")
        elif best["artifact_reason"]:
            self.said(f"No artifact: {best['artifact_reason']}")

    def _advise(self, progress: StudyProgress, miss: Mapping[str, Any]) -> None:
        """What may help where nothing is recommended."""
        if not miss.get("confirmed"):
            return
        self.said(
            "What may help: a larger n_trials (it continues the study), finetune.epochs=300, a "
            "larger tolerance"
        )
        if progress.bench.unpackable is None:
            export = export_command(progress.study_name, progress.bench.settings.output_root)
            self.console.print(f"To pack that one anyway: {export} trial={miss['trial']}")

    def untracked(self, address: str, study: str, output_root: Path) -> None:
        """Say that the tracking store misses something, and what adds it.

        Args:
            address: What the store is called.
            study: The study.
            output_root: Where it lies.
        """
        self.said(f"Tracking is missing in {address}. When that can be reached, this adds it:")
        self.console.print(sync_command(study, output_root))

    def served(self, model_uri: str, tracking_uri: str) -> None:
        """Say how to serve the model that MLflow now holds."""
        # The UI takes MLflow's usual port.
        self.console.print(
            f"Serve it: MLFLOW_TRACKING_URI={shlex.quote(tracking_uri)} "
            f"mlflow models serve -m {model_uri} --env-manager local -p 5001"
        )


def quiet_libraries() -> None:
    """Silence messages of libraries that a user can do nothing about, before a search."""
    for name in ("alembic", "mlflow", "optuna", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.raiseExceptions = False  # A log that a full disk does not take.
    # The terminal says it once, in a line of its own.
    warnings.filterwarnings("ignore", category=GenericLayerWarning)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
