"""What a search leaves for people: a page, pictures, and the summary."""

import json
import logging
import shutil
from pathlib import Path

from sgq_auto.reporting.pictures.front_picture import save_front_png
from sgq_auto.reporting.pictures.sensitivity_picture import save_sensitivities_png
from sgq_auto.reporting.report import save_report
from sgq_auto.searching.search_progress import StudyProgress, Summary, Watcher
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.summary.summary_entries import write_summary

_logger = logging.getLogger(__name__)

_REPORT, _FRONT, _SUMMARY = "report.html", "front.png", "summary.json"
_SENSITIVITIES, _LOSSES = "sensitivities.png", "sensitivities.json"


def result_files(folder: Path) -> list[Path]:
    """The files of :func:`write_results` that are in a folder."""
    names = (_REPORT, _FRONT, _SUMMARY, _SENSITIVITIES, _LOSSES)
    return [folder / name for name in names if (folder / name).exists()]


def write_results(progress: StudyProgress, summary: Summary, folder: Path) -> None:
    """Write the report, the pictures and the summary of a search that ended.

    Args:
        progress: The study.
        summary: What the search found.
        folder: Where the files go; those of an earlier search are replaced.

    Raises:
        OSError: If the folder cannot be written.
    """
    save_report(progress, summary, folder / _REPORT)
    save_front_png(progress, summary, folder / _FRONT)
    write_summary(summary, folder / _SUMMARY)
    sensitivities = progress.start.sensitivities
    if sensitivities is not None:
        save_sensitivities_png(sensitivities, folder / _SENSITIVITIES)
        (folder / _LOSSES).write_text(json.dumps(sensitivities.as_dict()) + "\n", encoding="utf-8")


class ResultFiles(Watcher):
    """A watcher that writes the results into a folder, and the report beside the study too.

    It acts when the search ends: files hold results, and before there are none.

    Attributes:
        folder: Where the results go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def report(self) -> Path:
        """Where the report is, once the search has ended."""
        return self.folder / _REPORT

    def finished(self, progress: StudyProgress, summary: Summary) -> None:
        """Write them; a folder that cannot be written costs a warning."""
        study = StudyFolder.of(progress.bench.settings.output_root, progress.study_name)
        try:
            write_results(progress, summary, self.folder)
            if self.folder.resolve() != study.path:
                shutil.copy(self.report, study.path)
        except OSError as error:
            _logger.warning("the report could not be written: %s", error)
