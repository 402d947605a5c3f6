"""The help of the search command."""

import pytest

from sgq_auto.configuration import ConfTree, chosen_files, conf_dir, search_help

TREE = ConfTree(conf_dir())


def test_every_group_choice_and_setting_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    text = search_help(TREE, chosen_files(["dataset=table", "model=gat", "--help"], TREE))
    lines = text.splitlines()
    for group, names in TREE.choices.items():
        for name in names:
            assert any(line.strip().startswith(name) for line in lines), f"{group}={name}"
    for name in (
        "n_trials=100",
        "dataset.source.nodes=null",
        "pretrain.epochs=300",
        "model.heads=8",
    ):
        assert any(line.strip().startswith(name) for line in lines), name
    # The comments of the files.
    words = " ".join(text.split())
    assert "of the study in all: a second run continues to this number" in words
    assert "column of ids; null:" in words
    assert all(len(line) <= 90 or "=" in line for line in lines)


def test_a_narrow_terminal_gets_narrow_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = search_help(TREE, chosen_files([], TREE)).splitlines()
    # Examples are to be copied, and stay whole.
    prose = [line for line in lines if "=" not in line and not line.startswith("  ")]
    assert max(map(len, prose)) <= 60, max(prose, key=len)
