"""What this project uses of Optuna that is not public is still there, and does what it did."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import sgq_auto
from sgq_auto.searching import optuna_internals
from sgq_auto.searching.optuna_internals import (
    DATABASE_CALLS,
    NOT_FOUND,
    SEEN_TO_WORK,
    ParameterRows,
    ReplayedJournal,
    storage_of,
    trial_id,
    trials_as_asked,
    wrap_database_calls,
)

_CHANGED = (
    f"Optuna {optuna.__version__} is not as {SEEN_TO_WORK} was, which "
    "src/sgq_auto/searching/optuna_internals.py was seen to work with"
)
# Calls that are not simply made again: a storage in a database answers them without its server,
# overrides them here, or is asked by no search.
_NOT_REPEATED = {
    *("delete_study", "check_trial_is_updatable", "get_all_trials", "get_n_trials"),
    *("get_best_trial", "get_heartbeat_interval", "remove_session", "set_trial_param"),
    *("get_trial_number_from_id", "get_trial_param", "get_trial_params", "get_trial_user_attrs"),
    *("get_trial_system_attrs", "set_trial_state_values", "set_trial_intermediate_value"),
    *("create_new_trial",),
}
_DISTRIBUTION = IntDistribution(0, 3)


def test_no_other_module_uses_what_is_not_public() -> None:
    private = re.compile(
        r"optuna[\w.]*\._|\b(study|trial|storage|journal|backend)\._[a-z]|"
        r"\._(trial_id|storage|study_id|replay_result|file_path)\b"
    )
    own = Path(optuna_internals.__file__)
    assert private.search(own.read_text(encoding="utf-8"))
    for path in Path(sgq_auto.__file__).parent.rglob("*.py"):
        found = private.search(path.read_text(encoding="utf-8"))
        own_attribute = found and "self._storage" in found.string[found.start() - 5 : found.end()]
        assert path == own or not found or own_attribute, f"{path}: {found and found[0]}"


def test_a_trial_and_its_study_lead_to_the_storage() -> None:
    study = optuna.create_study()
    trial = study.ask({"x": _DISTRIBUTION})
    storage_of(study).set_trial_user_attr(trial_id(trial), "seen", True)
    (frozen,) = study.get_trials()
    assert frozen.user_attrs == {"seen": True}, _CHANGED
    assert trial_id(frozen) == trial_id(trial), _CHANGED


def test_trials_are_as_they_were_when_one_was_asked_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    study = optuna.create_study(storage=url, study_name="s")
    other = optuna.load_study(storage=url, study_name="s")
    study.ask()
    assert len(trials_as_asked(study)) == 1
    other.ask()
    assert len(study.get_trials()) == 2
    assert len(trials_as_asked(study)) == 1, _CHANGED
    study.ask()
    assert len(trials_as_asked(study)) == 3, _CHANGED


def test_a_journal_says_which_line_it_could_not_replay(tmp_path: Path) -> None:
    class Journal(ReplayedJournal):
        def explained(self, error: Exception, line: int) -> Exception | None:
            return None if error.args == (NOT_FOUND,) else RuntimeError(line, repr(error))

    backend = JournalFileBackend(str(tmp_path / "journal.log"))
    storage = Journal(backend)
    study = optuna.create_study(storage=storage, study_name="s")
    with pytest.raises(KeyError) as missing:
        storage.get_trial(99)
    assert missing.value.args == (NOT_FOUND,), _CHANGED
    study.ask()
    lines = len(list(backend.read_logs(0)))
    backend.append_logs([{"op_code": 5, "worker_id": "another", "trial_id": 0}])
    with pytest.raises(RuntimeError) as told:
        study.get_trials()
    assert told.value.args == (lines + 1, "KeyError('param_name')"), _CHANGED


def _unchanged(method: Callable[..., Any]) -> Callable[..., Any]:
    return method


def test_every_call_of_a_database_is_repeated_or_known_not_to_be() -> None:
    public = {
        name
        for name, _ in inspect.getmembers(BaseStorage, inspect.isfunction)
        if not name.startswith("_")
    }
    assert public <= {*DATABASE_CALLS, *_NOT_REPEATED}, f"{_CHANGED}: it has new calls"
    assert all(callable(getattr(RDBStorage, name, None)) for name in DATABASE_CALLS), _CHANGED

    class Wrapped(RDBStorage):
        pass

    wrap_database_calls(Wrapped, lambda method: _unchanged(method))
    assert set(DATABASE_CALLS) <= set(vars(Wrapped))


def test_parameters_of_a_trial_are_written_together(tmp_path: Path) -> None:
    class Held(ParameterRows):
        def set_parameter(self, row: Any, distribution: Any, previous: Any) -> None:
            seen.append((row["param_name"], previous))
            if previous is None:
                super().set_parameter(row, distribution, previous)
            else:
                held.append(row)

    seen: list[Any] = []
    held: list[Any] = []
    storage = Held(f"sqlite:///{tmp_path / 's.db'}")
    study = optuna.create_study(storage=storage, study_name="s")
    space = {"x": _DISTRIBUTION, "y": _DISTRIBUTION}
    first = study.ask(space)
    assert seen == [("x", None), ("y", None)], _CHANGED
    study.tell(first, 0.0)
    second = study.ask(space)
    assert seen[2:] == [("x", _DISTRIBUTION), ("y", _DISTRIBUTION)], _CHANGED
    storage.insert_parameters(held)
    assert study.get_trials()[1].params == second.params, _CHANGED
    study.tell(second, 1.0)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.insert_parameters(held)
    assert study.get_trials()[1].state == TrialState.COMPLETE
