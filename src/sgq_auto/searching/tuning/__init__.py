"""Tuning of full precision before the search."""

from sgq_auto.searching.tuning.kept import Tuning, keep_tuning, kept_tuning
from sgq_auto.searching.tuning.tune import tuned, untuned_note

__all__ = ["Tuning", "keep_tuning", "kept_tuning", "tuned", "untuned_note"]
