"""What a summary says of the command that made it."""

import shlex

import pytest

from sgq_auto.searching.study.command_lines import repeat_command


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("seed=3", "seed=3"),
        ("tracking.uri=http://host:5000/a", "tracking.uri=http://host:5000/a"),
        ("tracking.uri=sqlite:////my runs/a@b.db", "tracking.uri=sqlite:////my runs/a@b.db"),
        ("storage.url=postgresql+psycopg://sgq@h/d", "storage.url=postgresql+psycopg://sgq@h/d"),
        (
            "storage.url=postgresql+psycopg://sgq:se/c@ret@host:5432/sgq",
            "storage.url=postgresql+psycopg://sgq:***@host:5432/sgq",
        ),
        ("tracking.uri=https://me:secret@host", "tracking.uri=https://me:***@host"),
        (
            "storage.url=postgresql://h/d?user=me&password=a:b",
            "storage.url=postgresql://h/d?user=me&password=***",
        ),
    ],
)
def test_the_command_is_whole_but_for_passwords(given: str, shown: str) -> None:
    command = repeat_command({"overrides": ["n_trials=5", given]})
    assert command is not None
    assert shlex.split(command) == ["python", "-m", "sgq_auto.search", "n_trials=5", shown]


def test_a_configuration_without_its_command_has_none() -> None:
    assert repeat_command({"choices": {}, "config": {}}) is None
