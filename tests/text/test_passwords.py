"""Passwords and tokens of addresses: used where a connection is opened, and written nowhere."""

import logging
import os
from pathlib import Path

import pytest

from command_runs import QUICK, SYNTHETIC, run
from sgq_auto.errors import InputError
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings
from sgq_auto.text import passwords
from sgq_auto.text.passwords import (
    STORAGE_VARIABLE,
    hide,
    hide_in_override,
    mask,
    mask_files,
    remember,
    remembered,
    reveal,
    without_passwords,
)

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(passwords._VARIABLE, "{}")
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://host:5000/a", "http://host:5000/a"),
        ("sqlite:////my runs/a@b.db", "sqlite:////my runs/a@b.db"),
        ("file:///a@b", "file:///a@b"),
        ("postgresql+psycopg://sgq@h/d", "postgresql+psycopg://sgq@h/d"),
        ("postgresql://sgq:a/b@c@h:1/d", "postgresql://sgq:***@h:1/d"),
        ("https://TOKEN@host/x", "https://***@host/x"),
        ("https://TOKEN:@host", "https://***:@host"),
        ("https://TOKEN:x-oauth-basic@host", "https://***:x-oauth-basic@host"),
        ("https://me:secret@host", "https://me:***@host"),
        ("http://:secret@host", "http://:***@host"),
        ("postgresql://h/d?user=me&password=a:b", "postgresql://h/d?user=me&password=***"),
        ("postgresql://h/d?sslpassword=ab&sslkey=/k", "postgresql://h/d?sslpassword=***&sslkey=/k"),
        ("postgresql://h/d?passfile=/k", "postgresql://h/d?passfile=/k"),
        ("https://h/?access_token=ab#x", "https://h/?access_token=***#x"),
        ("https://h/?a=1&API_KEY=ab", "https://h/?a=1&API_KEY=***"),
        ("s3://ID:KEY@bucket", "s3://ID:***@bucket"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address: str, shown: str) -> None:
    assert mask(address) == mask(shown) == shown
    assert hide(address) == shown
    assert reveal(shown) == address


def test_an_override_is_known_by_what_hydra_makes_of_it() -> None:
    url = "postgresql://h/d?user=me&password=pass word"
    assert "pass word" not in hide_in_override(f'storage.url="{url}"').split("password")[0]
    assert reveal(mask(url)) == url
    assert (
        hide_in_override(r"tracking.uri=https://a\=b:secret@h")
        == r"tracking.uri=https://a\=b:***@h"
    )
    assert reveal("https://a=b:***@h") == "https://a=b:secret@h"
    sweep = hide_in_override("tracking.uri=http://a:one1@x,http://a:two2@y")
    assert sweep == "tracking.uri=http://a:***@x,http://a:***@y"
    assert reveal("http://a:***@y") == "http://a:two2@y"


def test_messages_hold_no_password_that_is_known() -> None:
    hide("postgresql://me:s3cr%40t@h/d")
    for message in ("auth of s3cr@t failed", "url s3cr%40t", "x postgresql://me:s3cr%40t@h/d y"):
        assert "s3cr" not in without_passwords(message)
    assert without_passwords("see http://u:new@h and more") == "see http://u:***@h and more"


def test_logs_of_libraries_hold_no_password(caplog: pytest.LogCaptureFixture) -> None:
    hide("http://me:argsecret@h/?token=paramsecret")
    logger = logging.getLogger("urllib3.connectionpool")
    logger.warning("Retrying: %s", "/?token=paramsecret/api")
    try:
        raise ValueError("argsecret")
    except ValueError:
        logger.exception("failed")
    assert "Retrying: /?token=***" in caplog.text
    assert "secret" not in caplog.text


def test_workers_know_what_their_command_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    masked = hide("postgresql://me:secret@h/d")
    known = remembered()
    monkeypatch.setenv(passwords._VARIABLE, "not json")
    assert reveal(masked) == "postgresql://me@h/d"
    remember(known)
    assert reveal(masked) == "postgresql://me:secret@h/d"


def test_what_nobody_knows_any_more_is_left_to_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert reveal("https://***@h/x") == "https://h/x"
    assert reveal("postgresql://h/d?password=***") == "postgresql://h/d"
    assert reveal("postgresql://h/d?password=***&a=1") == "postgresql://h/d?a=1"
    settings = StorageSettings(StorageKind.POSTGRESQL, "postgresql://me:***@h/d")
    assert settings.address == "postgresql://me@h/d"
    monkeypatch.setenv(STORAGE_VARIABLE, "postgresql://me:again@h/d")
    assert settings.address == "postgresql://me:again@h/d"


def test_a_database_is_a_postgresql_servers() -> None:
    with pytest.raises(InputError, match=r"storage\.url=sqlite:////home/x\.db: it must begin"):
        StorageSettings(StorageKind.POSTGRESQL, "sqlite:////home/x.db")
    with pytest.raises(InputError, match=r"mysql://a:\*\*\*@h"):
        StorageSettings(StorageKind.POSTGRESQL, "mysql://a:secret@h/d")


def test_files_of_other_programs_are_masked(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("uri: https://TOKEN@h\nurl: postgresql://a:secret@h/d\nplain: a@b\n")
    mask_files(path, tmp_path / "missing.yaml")
    assert path.read_text() == "uri: https://***@h\nurl: postgresql://a:***@h/d\nplain: a@b\n"


@pytest.mark.slow
def test_a_search_leaves_no_password_anywhere(tmp_path: Path) -> None:
    """On the command line, in a file of settings, in a sweep; the store is not there."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text(
        "# @package _global_\nstorage:\n  url: postgresql://me:filesecret@h/d\n"
    )
    done = run(
        tmp_path, "-m", *SYNTHETIC, *QUICK, "n_trials=1", "seeding=0", "teachers=1",
        "confirm.seeds=1", "hydra.searchpath=[file://" + str(tmp_path) + "]", "+own=mine",
        "tracking.uri='http://me:argsecret@127.0.0.1:9/?token=paramsecret'",
        "tracking.patience_seconds=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "http://me:***@127.0.0.1:9/?token=***" in done.stdout
    texts = {"stdout": done.stdout, "stderr": done.stderr}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent.name != "own":
            texts[str(path)] = path.read_bytes().decode(errors="replace")
    assert any("multirun.yaml" in name for name in texts)
    for secret in ("argsecret", "paramsecret", "filesecret"):
        assert [name for name, text in texts.items() if secret in text] == []
        assert not any(secret in name for name in texts)
    assert "argsecret" not in os.environ.get(passwords._VARIABLE, "")
