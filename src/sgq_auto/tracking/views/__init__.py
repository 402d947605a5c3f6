"""Saved views of MLflow's UI, in which studies and trials are compared."""

from sgq_auto.tracking.views.states import (
    SavedView,
    charts_url,
    kib_metric,
    studies_view,
    trials_view,
    view_tag,
    view_url,
)

__all__ = [
    "SavedView",
    "charts_url",
    "kib_metric",
    "studies_view",
    "trials_view",
    "view_tag",
    "view_url",
]
