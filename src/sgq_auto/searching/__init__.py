"""Searching: the bit-widths of a model on a graph, as one multi-objective study."""

from sgq_auto.searching.budget import Budget
from sgq_auto.searching.engine import EngineKind, EngineSettings
from sgq_auto.searching.model_settings import ModelSettings
from sgq_auto.searching.pipeline import Outcome, run_search
from sgq_auto.searching.progress import StudyProgress, Watcher
from sgq_auto.searching.records import TrialRecord
from sgq_auto.searching.settings import ConfirmSettings, SearchSettings
from sgq_auto.searching.space import Granularity, SearchSpace
from sgq_auto.searching.storage import StorageKind, StorageSettings

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
