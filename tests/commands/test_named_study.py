"""The studies that a command names."""

from pathlib import Path

import pytest

from sgq_auto.commands.named_study import names_in
from sgq_auto.searching.study.command_lines import export_command, study_command


def test_names_are_parted_by_commas_that_are_in_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "outputs"
    for folder in ("outputs/studies/a", "outputs/studies/b", "my = 1, é/studies/c", "x,a"):
        (tmp_path / folder).mkdir(parents=True)
    assert names_in("a,b", root) == ["a", "b"]
    assert names_in("a, b,", root) == ["a", "b"]
    assert names_in("my = 1, é/studies/c,a,x,a", root) == ["my = 1, é/studies/c", "a", "x,a"]
    assert names_in("a,nothing,b", root) == ["a", "nothing", "b"]


def test_commands_that_people_are_told_name_the_output_folder() -> None:
    assert export_command("s", Path("outputs")) == "python -m sgq_auto.export study=s"
    told = study_command("sync", "s", Path("my = 1, é"))
    assert told == "python -m sgq_auto.sync study=s 'output_root=my = 1, é'"
