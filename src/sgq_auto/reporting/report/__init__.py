"""The report of a study: one page that answers its question."""

from sgq_auto.reporting.report.report import Report
from sgq_auto.reporting.report.report_sections import answer, warning
from sgq_auto.reporting.report.write_report import save_report

__all__ = ["Report", "answer", "save_report", "warning"]
