"""The optuna-dashboard on our storages: it opens, and its names are readable."""

import json
from pathlib import Path
from typing import Any

import optuna_dashboard
import pytest
from test_pipeline import SettingsBuilder

from servers import PostgresServer
from sgq_auto.graphs import PreparedData
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.study import open_study
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study_attributes import LADDER
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

pytestmark = pytest.mark.system


def get(application: Any, path: str) -> Any:
    """The JSON that the dashboard answers a request with."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "after=0",
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_LENGTH": "0",
    }
    return json.loads(b"".join(application(environ, lambda *_: None)))


@pytest.mark.parametrize("kind", list(StorageKind))
def test_the_dashboard_opens_a_study_with_readable_names(
    kind: StorageKind,
    settings: SettingsBuilder,
    synthetic: PreparedData,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    url = None
    if kind is StorageKind.POSTGRESQL:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    storage = StorageSettings(kind, url)
    searched = settings(storage=storage)
    study = open_study(searched, tmp_path, "cora-gcn")
    space = Workbench.build(searched, synthetic.graph).space
    study.tell(study.ask(dict(space.distributions())), [0.5, 100.0])
    application = optuna_dashboard.wsgi(open_storage(storage, tmp_path))
    (summary,) = get(application, "/api/studies")["study_summaries"]
    assert summary["study_name"] == "cora-gcn"
    ladder = next(attr for attr in summary["user_attrs"] if attr["key"] == LADDER)
    assert json.loads(ladder["value"]) == list(searched.ladder)
    found = get(application, f"/api/studies/{summary['study_id']}")
    assert found["objective_names"] == ["val_accuracy", "resident_bytes"]
    assert {param["name"] for param in found["trials"][0]["params"]} == set(space.searched)
