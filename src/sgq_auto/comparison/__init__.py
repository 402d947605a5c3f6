"""Several studies side by side: their fronts in one picture, and a table."""

from sgq_auto.comparison.comparison import Comparison
from sgq_auto.comparison.files import print_table, write_comparison
from sgq_auto.comparison.sources import find_summaries
from sgq_auto.comparison.tracked import log_comparison

__all__ = ["Comparison", "find_summaries", "log_comparison", "print_table", "write_comparison"]
