"""The report of a study: one page that answers its question."""

from sgq_auto.tracking.report.report import Report
from sgq_auto.tracking.report.sections import answer, warning
from sgq_auto.tracking.report.write import save_report

__all__ = ["Report", "answer", "save_report", "warning"]
