"""Paths on the command line reach a search as they are typed."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from omegaconf import OmegaConf

from sgq_auto.configuration import as_typed, with_literals

_PARSER = OverridesParser.create()
_NAMES = [
    "my graph=1, é.npz", "a'b.npz", 'a"b.npz', "a\\b.npz", "a\\'b", "end\\", "[x].npz", "(x)",
    "{a}.npz", "a:b", "#x", "%20 x", "x=range(3)", "choice(a)", " lead", "trail ", "日本/é",
    "'a,b", "5", "1e3", "true", "a${b.npz", "a\\${b", "=", "two\nlines", "\udce9", "@x", "a;b|c&d",
]  # fmt: skip
_SETTINGS = ["dataset.source.path", "hydra.run.dir", "output_root", "+dataset.source.nodes"]
_SETTINGS += ["model.checkpoint"]


def _value(argument: str) -> object:
    """What a search is given."""
    value = _PARSER.parse_override(argument).value()
    return OmegaConf.create({"x": value}).x


@pytest.mark.parametrize("name", _NAMES)
def test_a_path_is_taken_as_it_is_typed(name: str) -> None:
    for setting in _SETTINGS:
        (argument,) = with_literals([f"{setting}={name}"])
        assert _value(argument) == name


@pytest.mark.parametrize("name", [*_NAMES, "out", "${oc.env:HOME}/x", "null", "[a, b]", "'q, r'"])
def test_what_is_kept_repeats_the_search(name: str) -> None:
    (argument,) = with_literals([f"output_root={name}"])
    assert with_literals([as_typed(argument)]) == [argument]
    if name in _NAMES and "${" not in name:
        assert as_typed(argument) == f"output_root={name}"


def test_what_hydra_reads_keeps_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", "/data")
    (argument,) = with_literals(["data_root=${oc.env:SOMEWHERE}/a = b"])
    assert _value(argument) == "/data/a = b"
    (argument,) = with_literals(['output_root="in quotes, still"'])
    assert _value(argument) == "in quotes, still"
    kept = ["dataset.source.path=null", "n_trials=5", "ladder=[1,2]", "dataset.source.id=7"]
    kept += ["finetune={epochs: 3}", "-m", "--cfg", "job", "dataset.source.path="]
    assert with_literals(kept) == kept


@pytest.mark.parametrize("name", ["'a'", "[b]", "null", "${c}", "{d: 1}", "~"])
def test_what_is_there_is_taken_by_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    for arguments in ([f"dataset.source.path={name}"], ["-m", f"dataset.source.path={name}"]):
        assert _value(with_literals(arguments)[-1]) == name


def test_home_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (argument,) = with_literals(["dataset.source.path=~/g = 1.npz"])
    assert _value(argument) == str(tmp_path / "g = 1.npz")


def test_a_comma_parts_values_in_a_multirun_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = "dataset.source.path=a=1.npz, b é.npz,'c,d.npz'"
    _, argument = with_literals(["-m", given])
    sweep = _PARSER.parse_override(argument).value()
    assert isinstance(sweep, ChoiceSweep)
    assert [str(each.text) for each in sweep.list] == ["a=1.npz", "b é.npz", "c,d.npz"]
    (argument,) = with_literals([given])
    assert _value(argument) == "a=1.npz, b é.npz,'c,d.npz'"
    (tmp_path / "x,y.npz").touch()
    _, argument = with_literals(["--multirun", "dataset.source.path=x,y.npz"])
    assert _value(argument) == "x,y.npz"
    swept = ["-m", "dataset.source.path=glob(*)"]
    assert with_literals(swept) == swept


def test_columns_and_files_of_own_sources_are_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (argument,) = with_literals(["dataset.source.label=Größe, final"])
    assert _value(argument) == "Größe, final"
    (tmp_path / "mine = 1,é.csv").touch()
    (argument,) = with_literals(["+dataset.source.file=mine = 1,é.csv"])
    assert _value(argument) == "mine = 1,é.csv"
