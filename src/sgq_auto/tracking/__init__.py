"""Tracking: studies, their trials and packed models in MLflow."""

from sgq_auto.tracking.mlflow_tracker import MlflowTracker
from sgq_auto.tracking.tracking_delivery import Delivery
from sgq_auto.tracking.tracking_settings import TrackingSettings

__all__ = ["Delivery", "MlflowTracker", "TrackingSettings"]
