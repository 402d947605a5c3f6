"""Settings: what the configuration holds, as checked values; nothing here imports numpy or torch.

Each settings class is at once a section of the configuration's schema and what the code that it
sets is given. To add a setting, add a field here, a line with its comment under ``conf/``, and use
it: its type is checked, ``--help`` explains it, and MLflow shows it.
"""

from sgq_auto.settings.bucket_settings import BucketSettings
from sgq_auto.settings.budget_settings import Budget
from sgq_auto.settings.confirm_settings import ConfirmSettings
from sgq_auto.settings.fit_settings import FitSettings, Keep, Schedule
from sgq_auto.settings.footprint_settings import FootprintSettings
from sgq_auto.settings.root_settings import RangeMode, RootSettings
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings
from sgq_auto.settings.tracking_config import TrackingConfig
from sgq_auto.settings.tune_settings import TuneMode, TuneSettings
from sgq_auto.settings.worker_settings import EngineKind, EngineSettings

__all__ = [
    "BucketSettings",
    "Budget",
    "ConfirmSettings",
    "EngineKind",
    "EngineSettings",
    "FitSettings",
    "FootprintSettings",
    "Keep",
    "RangeMode",
    "RootSettings",
    "Schedule",
    "StorageKind",
    "StorageSettings",
    "TrackingConfig",
    "TuneMode",
    "TuneSettings",
]
