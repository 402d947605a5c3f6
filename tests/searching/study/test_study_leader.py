"""The lead of a study: one at a time, and it does not outlive who has it."""

from pathlib import Path

import pytest

from servers import PostgresServer
from sgq_auto.errors import InputError
from sgq_auto.searching.study.study_leader import DatabaseLead, FileLead, lead_of
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

pytestmark = pytest.mark.system


def test_a_study_in_a_folder_is_run_by_one_command(tmp_path: Path) -> None:
    first, second = FileLead(tmp_path), FileLead(tmp_path)
    assert first.take()
    assert first.take()
    with pytest.raises(InputError, match="another command is running this study"):
        second.take()
    first.release()
    assert second.take()


def test_a_study_in_a_database_has_one_leader(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    first, second, other = DatabaseLead(url, "a"), DatabaseLead(url, "a"), DatabaseLead(url, "b")
    assert first.take()
    assert first.take()
    assert not second.take()
    assert other.take()
    first.release()
    assert second.take()
    assert not first.take()


def test_the_lead_goes_with_the_connection(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    first, second = DatabaseLead(url, "a"), DatabaseLead(url, "a")
    assert first.take()
    postgres.stop()
    assert not second.take()
    assert not first.take()
    postgres.start()
    assert second.take()
    assert not first.take()


def test_the_kind_of_storage_decides(tmp_path: Path) -> None:
    shared = StorageSettings(StorageKind.POSTGRESQL, "postgresql+psycopg://u@h/d")
    assert isinstance(lead_of(shared, tmp_path, "a"), DatabaseLead)
    assert isinstance(lead_of(StorageSettings(), tmp_path, "a"), FileLead)
