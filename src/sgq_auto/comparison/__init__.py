"""Several studies side by side: their fronts in one picture, and a table."""

from sgq_auto.comparison.comparison import Comparison
from sgq_auto.comparison.comparison_files import print_table, write_comparison
from sgq_auto.comparison.comparison_run import log_comparison
from sgq_auto.comparison.named_summaries import find_summaries

__all__ = ["Comparison", "find_summaries", "log_comparison", "print_table", "write_comparison"]
