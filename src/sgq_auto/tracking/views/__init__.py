"""Saved views of MLflow's UI, in which studies and trials are compared."""

from sgq_auto.tracking.views.view_states import (
    SavedView,
    kib_metric,
    studies_url,
    studies_view,
    trials_view,
)

__all__ = [
    "SavedView",
    "kib_metric",
    "studies_url",
    "studies_view",
    "trials_view",
]
