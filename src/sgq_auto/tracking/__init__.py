"""Tracking: MLflow, pictures of the front, and the terminal."""

from sgq_auto.tracking.delivery import Delivery
from sgq_auto.tracking.mlflow_tracker import MlflowTracker, TrackingSettings
from sgq_auto.tracking.terminal import Terminal, quiet_libraries

__all__ = ["Delivery", "MlflowTracker", "Terminal", "TrackingSettings", "quiet_libraries"]
