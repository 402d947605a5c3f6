"""What the person at the terminal sees."""

import logging
import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sgq_auto.quantize import GenericLayerWarning
from sgq_auto.searching.command_lines import export_command
from sgq_auto.searching.progress import StudyProgress
from sgq_auto.searching.records import TrialRecord
from sgq_auto.searching.summary import Summary
from sgq_auto.tracking.console import output_console
from sgq_auto.tracking.intervals import half_width_95
from sgq_auto.tracking.units import kib, percent


class Terminal:
    """A progress bar while a search runs, and a table at its end; no bar without a terminal."""

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
        self.notes = notes
        self.console = output_console()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def started(self, progress: StudyProgress) -> None:
        """Say how the graph was read and what is searched, and show the bar."""
        for note in self.notes:
            self.console.print(note)
        settings = progress.bench.settings
        searched = len(progress.bench.space.searched)
        self.console.print(
            f"{progress.study_name}: {searched} bit-width{'' if searched == 1 else 's'}, full "
            f"precision {percent(progress.bench.pretrained.val_accuracy)} validation accuracy "
            f"(seed {settings.seed}) in {kib(progress.full_bytes)}"
        )
        if progress.bench.generic is not None:
            self.console.print(f"Layers {progress.bench.generic}")
        if progress.bench.unpackable is not None:
            self.console.print(
                f"This model cannot be packed ({progress.bench.unpackable}): its sizes are what "
                "its parts take in codes, and no artifact will be written",
            )
        if not progress.leads:
            self.console.print("another command leads this study: it tracks, confirms and sums up")
        if not self.console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("trials"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            transient=True,
        )
        self._task = self._bar.add_task(
            "trials", total=settings.n_trials, completed=len(progress.records), state=""
        )
        self._bar.start()

    def left(self, progress: StudyProgress) -> None:
        """Say what became of the study."""
        if self._bar is not None:
            self._bar.stop()
        done, total = len(progress.records), progress.bench.settings.n_trials
        self.console.print(
            f"{done} of {total} trials are done; the command that leads the study confirms its "
            "front. If that one has ended, this command again takes over."
        )

    def trials_finished(self, progress: StudyProgress, new: Sequence[TrialRecord]) -> None:
        """Move the bar; failures are said in a line of their own."""
        for record in new:
            if record.failure:
                self.console.print(f"trial {record.number} failed: {record.failure}")
        if self._bar is None or self._task is None or not new:
            return
        tolerance = progress.bench.settings.allowed_drop
        best = progress.best_within(tolerance)
        ratio = f"{progress.full_bytes / best.num_bytes:.1f}x" if best else "none yet"
        state = f"hypervolume {progress.hypervolume:.3f}, best within {tolerance:g} points {ratio}"
        self._bar.update(self._task, completed=len(progress.records), state=state)

    def confirming(self, done: int, total: int) -> None:
        """Move on to the confirm stage."""
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, completed=done, total=total, state="confirming on fresh seeds"
            )

    def finished(self, progress: StudyProgress, summary: Summary) -> None:
        """Print what was found and where it lies."""
        if self._bar is not None:
            self._bar.stop()
        self.console.print(_table(summary))
        if summary["recommended"]:
            self._recommend(summary["recommended"])
        else:
            self.console.print(f"No recommendation: {summary['recommended_reason']}")
            self._advise(progress, summary["nearest_miss"] or {})
        stopped, saved = summary["trials"]["stopped_early"], summary["epochs_saved_fraction"]
        if stopped:
            self.console.print(
                f"{stopped} of {len(progress.records)} trials were stopped early: "
                f"{percent(saved)} of the epochs saved"
            )
        failed = summary["trials"]["failed"]
        if failed:
            self.console.print(f"{failed} of {len(progress.records)} trials failed")
        if self.report_path.exists():
            self.console.print(f"Report: {self.report_path}")
        self.console.print(f"Summary: {self.summary_path}")
        self.console.print(f"Compare in the MLflow UI: {self.ui_command}")

    def _recommend(self, best: Mapping[str, Any]) -> None:
        half = half_width_95(best["test_accuracy_drop_std"], best["seeds"])
        width = "" if half is None else f" ± {half:.2f} (95 %)"
        self.console.print(
            f"Recommended: trial {best['trial']}, {kib(best['resident_bytes'])} resident "
            f"({best['resident_ratio']:.1f}x smaller than PyG fp32, "
            f"{best['resident_ratio_sparse_fp32']:.1f}x than sparse fp32), test accuracy drop "
            f"{best['test_accuracy_drop']:+.2f}{width} points over {best['seeds']} seeds"
        )
        if best["artifact_path"]:
            self.console.print(
                f"Artifact: {best['artifact_path']} ({kib(best['artifact_file_bytes'])})"
            )
            folder = shlex.quote(str(self.summary_path.parent))
            self.console.print(f"Predict with it: python -m sgq_auto.infer artifact={folder}")
        elif best["artifact_reason"]:
            self.console.print(f"No artifact: {best['artifact_reason']}")

    def _advise(self, progress: StudyProgress, miss: Mapping[str, Any]) -> None:
        """What may help where nothing is recommended."""
        if not miss.get("confirmed"):
            return
        self.console.print(
            "What may help: a larger n_trials (the study goes on), finetune.epochs=300, a larger "
            "tolerance"
        )
        if progress.bench.unpackable is None:
            export = export_command(progress.study_name, progress.bench.settings.output_root)
            self.console.print(f"To pack it all the same: {export} trial={miss['trial']}")

    def served(self, model_uri: str, tracking_uri: str) -> None:
        """Say how to serve the model that MLflow now holds."""
        # The UI takes MLflow's usual port.
        self.console.print(
            f"Serve it: MLFLOW_TRACKING_URI={shlex.quote(tracking_uri)} "
            f"mlflow models serve -m {model_uri} --env-manager local -p 5001"
        )


def quiet_libraries() -> None:
    """Keep library chatter off the terminal."""
    for name in ("alembic", "mlflow", "optuna", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.raiseExceptions = False  # A log that a full disk does not take.
    # The terminal says it once, in a line of its own.
    warnings.filterwarnings("ignore", category=GenericLayerWarning)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def _table(summary: Summary) -> Table:
    """Full precision and the confirmed front, most accurate last."""
    table = Table(box=None, pad_edge=False)
    for heading, justify in (
        ("", "left"),
        ("bits", "right"),
        ("resident", "right"),
        ("ratio", "right"),
        ("stored", "right"),
        ("val %", "right"),
        ("est. drop", "right"),
        ("test %", "right"),
        ("test drop", "right"),
        ("", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    full = summary["full_precision"]
    test = full["test_accuracy"]
    table.add_row(
        "full precision",
        "32",
        kib(full["resident_bytes"]),
        "1.0x",
        kib(full["stored_bytes"]),
        f"{100 * full['val_accuracy']:.1f}",
        "",
        "" if test is None else f"{100 * test:.1f} ± {100 * full['test_accuracy_std']:.1f}",
    )
    best = (summary["recommended"] or {}).get("trial")
    for point in summary["confirmed"]:
        confirmed = point["confirmed"]
        table.add_row(
            f"trial {point['trial']}",
            f"{point['average_bits']:.1f}",
            kib(point["resident_bytes"]),
            f"{point['resident_ratio']:.1f}x",
            kib(point["stored_bytes"]),
            f"{100 * confirmed['val_accuracy']:.1f}",
            f"{confirmed['estimated_drop']:+.2f}",
            f"{100 * confirmed['test_accuracy']:.1f} ± {100 * confirmed['test_accuracy_std']:.1f}",
            f"{confirmed['test_accuracy_drop']:+.2f}",
            "<- recommended" if point["trial"] == best else "",
        )
    return table
