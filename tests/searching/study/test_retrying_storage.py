"""A database that is away: calls wait for it, do their work once, and give up in time."""

import threading
import time

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from servers import PostgresServer
from sgq_auto.searching.study.retrying_storage import PatientStorage, open_patiently

pytestmark = pytest.mark.system


def open_storage(url: str, patience_seconds: float = 30) -> PatientStorage:
    return open_patiently(url, patience_seconds, opening_seconds=0)


def new_study(storage: PatientStorage) -> optuna.Study:
    return optuna.create_study(storage=storage, directions=["maximize", "minimize"])


def test_calls_wait_for_a_server_that_comes_back(postgres: PostgresServer) -> None:
    study = new_study(open_storage(postgres.new_database()))
    trial = study.ask()
    postgres.stop()
    threading.Timer(1.0, postgres.start).start()
    study.tell(trial, [0.5, 1.0])
    (told,) = study.get_trials()
    assert told.values == [0.5, 1.0]


def test_a_server_that_stays_away_is_given_up(postgres: PostgresServer) -> None:
    study = new_study(open_storage(postgres.new_database(), patience_seconds=1))
    postgres.stop()
    try:
        began = time.monotonic()
        with pytest.raises(StorageInternalError):
            study.ask()
        assert time.monotonic() - began < 10
    finally:
        postgres.start()


def test_a_server_that_was_never_there_is_said_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(StorageInternalError, match="refused"):
        open_storage("postgresql+psycopg://sgq@127.0.0.1:9/study")
    assert time.monotonic() - began < 10


def test_a_state_whose_answer_was_lost_is_set_once(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(open_storage(postgres.new_database()))
    trial = study.ask()
    set_state, calls = RDBStorage.set_trial_state_values, []

    def answer_is_lost(*arguments: object) -> bool:
        done = set_state(*arguments)  # type: ignore[arg-type]
        calls.append(done)
        if len(calls) == 1:
            raise StorageInternalError("the connection was lost")
        return done

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", answer_is_lost)
    study.tell(trial, [0.5, 1.0])
    (told,) = study.get_trials()
    assert (told.state, told.values) == (TrialState.COMPLETE, [0.5, 1.0])


def test_a_trial_that_another_one_finished_is_still_refused(postgres: PostgresServer) -> None:
    study = new_study(open_storage(postgres.new_database()))
    trial = study.ask()
    study.tell(trial, [0.5, 1.0])
    with pytest.raises(UpdateFinishedTrialError):
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def test_a_fresh_database_may_be_opened_by_many_at_once(postgres: PostgresServer) -> None:
    for _ in range(3):
        url = postgres.new_database()
        failures: list[BaseException] = []

        def open_one(url: str = url, failures: list[BaseException] = failures) -> None:
            try:
                open_storage(url).get_all_studies()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=open_one) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


def test_parameters_are_written_together_and_none_is_lost(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    study, other = (
        optuna.create_study(
            storage=open_storage(url), study_name="s", directions=["maximize"], load_if_exists=True
        )
        for _ in range(2)
    )
    space = {name: IntDistribution(0, 5) for name in "abc"}
    study.tell(study.ask(space), 0.5)  # From here on the storage knows the distributions.
    trial = study.ask(space)
    assert other.get_trials()[1].params == {}
    postgres.stop()
    threading.Timer(1.0, postgres.start).start()
    assert study.get_trials()[1].params == trial.params
    assert other.get_trials()[1].params == trial.params
    study.tell(trial, 0.5)
    assert [t.distributions for t in other.get_trials()] == [space, space]


def test_parameters_of_a_trial_that_somebody_ended_are_refused_once(
    postgres: PostgresServer,
) -> None:
    study = new_study(open_storage(postgres.new_database()))
    space = {"a": IntDistribution(0, 5)}
    study.tell(study.ask(space), [0.5, 1.0])
    trial = study.ask()
    trial.suggest_int("a", 0, 5)
    RDBStorage.set_trial_state_values(study._storage._backend, trial._trial_id, TrialState.FAIL)  # type: ignore[attr-defined]
    with pytest.raises(UpdateFinishedTrialError):
        study.get_trials()
    assert [t.params.keys() for t in study.get_trials()] == [{"a"}, set()]
