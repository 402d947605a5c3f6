"""Searching: the bit-widths of a model on a graph, as one multi-objective study."""

from sgq_auto.searching.pipeline import Outcome, run_search
from sgq_auto.searching.search_progress import StudyProgress, Watcher
from sgq_auto.searching.settings.model_settings import ModelSettings
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.space.search_space import Granularity, SearchSpace
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.settings import (
    Budget,
    ConfirmSettings,
    EngineKind,
    EngineSettings,
    StorageKind,
    StorageSettings,
)

__all__ = [
    "Budget",
    "ConfirmSettings",
    "EngineKind",
    "EngineSettings",
    "Granularity",
    "ModelSettings",
    "Outcome",
    "SearchSettings",
    "SearchSpace",
    "StorageKind",
    "StorageSettings",
    "StudyProgress",
    "TrialRecord",
    "Watcher",
    "run_search",
]
