"""Tracking: MLflow, reports and pictures, and the terminal."""

from sgq_auto.tracking.delivery import Delivery
from sgq_auto.tracking.mlflow_tracker import MlflowTracker
from sgq_auto.tracking.results import ResultFiles, write_results
from sgq_auto.tracking.settings import TrackingSettings
from sgq_auto.tracking.terminal import Terminal, quiet_libraries

__all__ = [
    "Delivery",
    "MlflowTracker",
    "ResultFiles",
    "Terminal",
    "TrackingSettings",
    "quiet_libraries",
    "write_results",
]
