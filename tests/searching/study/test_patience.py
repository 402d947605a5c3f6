"""Patience with a database: what is tried again, for how long, and what people read of it."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import IntegrityError, OperationalError

from sgq_auto.searching.study.retrying_storage import PatientStorage, open_patiently


def opened(folder: Path, patience_seconds: float) -> PatientStorage:
    return open_patiently(f"sqlite:///{folder}/study.db", patience_seconds, opening_seconds=0)


def failing(times: int, error: Exception) -> tuple[Callable[[], int], list[int]]:
    """A call that fails some times before it gives 7, and a list with an entry a try."""
    tries: list[int] = []

    def call() -> int:
        tries.append(len(tries))
        if len(tries) <= times:
            raise error
        return 7

    return call, tries


def test_a_call_is_tried_until_it_succeeds_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call, tries = failing(2, StorageInternalError("connection refused\nmore"))
    with caplog.at_level(logging.WARNING):
        assert opened(tmp_path, 30).patiently(call) == 7
    assert len(tries) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the study's database cannot be reached (connection refused); trying for 30 s"
    ]


def test_without_patience_the_first_error_is_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call, tries = failing(1, StorageInternalError("gone"))
    with pytest.raises(StorageInternalError, match="gone"):
        opened(tmp_path, 0).patiently(call)
    assert len(tries) == 1
    assert not caplog.records


def test_patience_ends(tmp_path: Path) -> None:
    call, tries = failing(1000, StorageInternalError("gone"))
    with pytest.raises(StorageInternalError, match="gone"):
        opened(tmp_path, 0.5).patiently(call)
    assert 2 <= len(tries) <= 4


def test_other_errors_are_raised_at_once(tmp_path: Path) -> None:
    call, tries = failing(1, KeyError("no such trial"))
    with pytest.raises(KeyError):
        opened(tmp_path, 30).patiently(call)
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("error", "tries_needed"),
    [(IntegrityError, 2), (OperationalError, None)],
)
def test_a_race_for_the_tables_is_run_again(
    error: type[IntegrityError | OperationalError],
    tries_needed: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make, tries = RDBStorage.__init__, []

    def other_command_was_first(*arguments: object, **options: object) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error("create table", {}, Exception("studies exists"))
        make(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(RDBStorage, "__init__", other_command_was_first)
    if tries_needed is None:
        with pytest.raises(StorageInternalError, match="studies exists"):
            opened(tmp_path, 30)
        assert len(tries) == 1
    else:
        assert opened(tmp_path, 30).get_all_studies() == []
        assert len(tries) == tries_needed
