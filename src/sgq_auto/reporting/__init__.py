"""Reporting: what a search leaves for people, on the terminal, in pictures and on a page."""

from sgq_auto.reporting.result_files import ResultFiles, write_results
from sgq_auto.reporting.terminal.terminal import Terminal, quiet_libraries

__all__ = ["ResultFiles", "Terminal", "quiet_libraries", "write_results"]
