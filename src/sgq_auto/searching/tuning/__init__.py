"""Tuning of full precision before the search."""

from sgq_auto.searching.tuning.kept_tuning import Tuning, keep_tuning, kept_tuning
from sgq_auto.searching.tuning.tune_reference import tuned, untuned_note

__all__ = ["Tuning", "keep_tuning", "kept_tuning", "tuned", "untuned_note"]
