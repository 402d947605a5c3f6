"""Saved views in a store: made where they are missing, and never changed against people's will."""

import time
from collections.abc import Sequence

from mlflow import MlflowClient

from sgq_auto.tracking.mlflow_internals import is_untouched_but_not, moved_view, view_tag
from sgq_auto.tracking.views import SavedView


def save_views(client: MlflowClient, experiment_id: str, views: Sequence[SavedView]) -> None:
    """Make the views that are not there, and renew those of an earlier version of this program.

    Raises:
        MlflowException: If the store fails.
    """
    tags = client.get_experiment(experiment_id).tags
    for view in views:
        kept = tags.get(view.tag)
        if kept is None or (view.renews and is_untouched_but_not(kept, view.state)):
            client.set_experiment_tag(experiment_id, view.tag, view.value(int(time.time() * 1000)))


def move_view(client: MlflowClient, experiment_id: str, old_run: str, new_run: str) -> None:
    """Let the view of one run's children be the view of another run's, as people left it.

    Raises:
        MlflowException: If the store fails.
    """
    old, new = view_tag(old_run), view_tag(new_run)
    kept = client.get_experiment(experiment_id).tags.get(old)
    if kept is None:
        return
    moved = moved_view(kept, old_run, new_run)
    if moved is not None:
        client.set_experiment_tag(experiment_id, new, moved)
    client.delete_experiment_tag(experiment_id, old)
