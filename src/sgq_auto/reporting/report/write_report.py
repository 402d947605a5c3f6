"""Writes the report of a study."""

from pathlib import Path

from sgq_auto.reporting.pages import render
from sgq_auto.reporting.report.report import Report
from sgq_auto.searching.search_progress import StudyProgress, Summary


def save_report(progress: StudyProgress, summary: Summary, path: Path) -> None:
    """Write the report of a search that ended as one page that loads nothing."""
    path.write_text(render("report.html", report=Report.of(progress, summary)), encoding="utf-8")
