"""Saved views in a store: made where they are missing, and never changed against people's will."""

import base64
import json
import time
import zlib
from collections.abc import Sequence

from mlflow import MlflowClient

from sgq_auto.tracking.views import SavedView, view_tag

# How the UI marks a state that it has packed.
_PACKED = "deflate;"


def save_views(client: MlflowClient, experiment_id: str, views: Sequence[SavedView]) -> None:
    """Make the views that are not there, and renew those of an earlier version of this program.

    Raises:
        MlflowException: If the store fails.
    """
    tags = client.get_experiment(experiment_id).tags
    for view in views:
        kept = tags.get(view.tag)
        if kept is None or (view.renews and _is_outdated(kept, view)):
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
    moved = _with_run(kept, old_run, new_run)
    if moved is not None:
        client.set_experiment_tag(experiment_id, new, moved)
    client.delete_experiment_tag(experiment_id, old)


def _with_run(kept: str, old_run: str, new_run: str) -> str | None:
    """A view of another run; ``None`` where it cannot be read: then the usual one is made."""
    try:
        envelope = json.loads(kept)
        state = envelope["state"]
        if state.startswith(_PACKED):
            packed = base64.b64decode(state.removeprefix(_PACKED), validate=True)
            text = zlib.decompress(packed).decode().replace(old_run, new_run)
            state = _PACKED + base64.b64encode(zlib.compress(text.encode())).decode()
        return json.dumps({**envelope, "state": state.replace(old_run, new_run)})
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error):
        return None


def _is_outdated(kept: str, view: SavedView) -> bool:
    """Whether a view has another state than this version gives it, and nobody has changed it."""
    try:
        envelope = json.loads(kept)
        # The UI sets the second of these when somebody saves a view over it.
        untouched = envelope["createdAt"] == envelope["updatedAt"]
        return bool(untouched and json.loads(envelope["state"]) != view.state)
    except (ValueError, TypeError, KeyError):
        return False  # The UI packs what people save.
