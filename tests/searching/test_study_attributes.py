"""Attributes of studies and trials: one prefix for what is written, and earlier names are read."""

import re
from dataclasses import asdict
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from sgq_auto import searching
from sgq_auto.searching import study_attributes
from sgq_auto.searching.study_attributes import RECORD, SEARCH_SECONDS, START, own_attributes
from sgq_auto.searching.trials.trial_checks import check_attrs, check_trial
from sgq_auto.searching.trials.trial_records import Measurement, TrialRecord

_MEASURED = Measurement(0.7, {"resident_bytes": 9}, 2.0, ((1, 0.7),), 0.1)


def _trial(user_attrs: dict[str, object]) -> FrozenTrial:
    trial = optuna.trial.create_trial(values=[0.7, 9.0], user_attrs=user_attrs)
    trial.state = TrialState.COMPLETE
    return trial


def test_all_names_have_one_prefix_and_are_different() -> None:
    names = [
        value for name, value in vars(study_attributes).items() if name.isupper() and name[0] != "_"
    ]
    assert len(names) == len(set(names)) == 16
    assert all(name.startswith("sgq_auto:") for name in names)


def test_no_other_module_has_a_name_of_its_own() -> None:
    literal = re.compile(
        r"set_(study_|trial_)?user_attr\((\w+, )?[\"']|user_attrs(\.get\(|\[)[\"']"
    )
    assert literal.search('study.set_user_attr("mine", 1)')
    assert literal.search("trial.user_attrs['mine']")
    for path in Path(searching.__file__).parent.rglob("*.py"):
        found = literal.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found and found[0]}"


def test_names_of_version_0_1_0_are_read_as_those_of_today() -> None:
    earlier = {"record": 1, "repeat": 2, "search_seconds": 3.0, "sgq_auto:start": 4, "theirs": 5}
    assert own_attributes(earlier) == {
        RECORD: 1,
        "sgq_auto:repeat": 2,
        SEARCH_SECONDS: 3.0,
        START: 4,
        "theirs": 5,
    }
    both = own_attributes({SEARCH_SECONDS: 9.0, "search_seconds": 3.0})
    assert both == {SEARCH_SECONDS: 9.0}


def test_a_trial_of_either_version_gives_the_same_record() -> None:
    record = {**_MEASURED.as_attr(), "worker_seconds": 0.5}
    earlier = _trial({"record": record, "repeat": 3})
    now = _trial({"sgq_auto:record": record, "sgq_auto:repeat": 3})
    for trial in (earlier, now):
        check_trial(trial)
    assert asdict(TrialRecord.from_trial(earlier)) | {"start_ms": 0, "end_ms": 0} == asdict(
        TrialRecord.from_trial(now)
    ) | {"start_ms": 0, "end_ms": 0}
    assert TrialRecord.from_trial(now).repeat == 3


@pytest.mark.parametrize("name", ["repeat", "sgq_auto:repeat"])
def test_values_are_checked_under_either_name(name: str) -> None:
    with pytest.raises(ValueError, match="repeat of a trial"):
        check_attrs({name: "many"})
