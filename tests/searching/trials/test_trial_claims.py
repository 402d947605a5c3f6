"""Claims: exactly n_trials count, whoever asks, dies or comes back."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from servers import PostgresServer
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.study import enqueue_start, finished_trials
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study_attributes import START
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.trial_claims import (
    give_back,
    has_room,
    is_claimed,
    requeue_stale,
    retire,
    retry_lost,
)
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

pytestmark = pytest.mark.system

OpenStudy = Callable[[], optuna.Study]
_WAITING = (TrialState.WAITING,)


def new_study(storage: optuna.storages.BaseStorage, name: str = "s") -> optuna.Study:
    directions = ["maximize", "minimize"]
    return optuna.create_study(
        storage=storage, study_name=name, directions=directions, load_if_exists=True
    )


@pytest.fixture
def study() -> optuna.Study:
    return new_study(InMemoryStorage())


@pytest.fixture(params=["journal", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStudy]:
    """Opens one study anew each time, as processes do."""
    settings = StorageSettings()
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings = StorageSettings(StorageKind.POSTGRESQL, server.new_database())
    return lambda: new_study(open_storage(settings, tmp_path))


def begun(study: optuna.Study) -> list[FrozenTrial]:
    return [t for t in standing_trials(study) if t.state != TrialState.WAITING]


def ask(bench: Workbench, study: optuna.Study) -> FrozenTrial:
    trial = study.ask(dict(bench.space.distributions()))
    return trial._get_latest_trial()


def test_workers_that_ask_at_once_claim_exactly_n_trials(
    shared: OpenStudy, bench: Workbench
) -> None:
    n_trials = 20
    shared()

    def work(_: int) -> int:
        study, claimed = shared(), 0
        while has_room(standing_trials(study), n_trials):
            trial = ask(bench, study)
            if is_claimed(study, trial.number, n_trials):
                study.tell(trial.number, [0.5, 1.0])
                claimed += 1
            else:
                give_back(study, trial)
        return claimed

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == n_trials
    states = [trial.state for trial in standing_trials(shared())]
    assert states == [TrialState.COMPLETE] * n_trials


def test_a_study_that_two_commands_begin_at_once_begins_once(shared: OpenStudy) -> None:
    shared()
    start = [{"x": i} for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: enqueue_start(shared(), start), range(4)))
    fixed = [t.system_attrs["fixed_params"] for t in standing_trials(shared())]
    assert sorted(fixed, key=lambda params: params["x"]) == start


def test_a_lost_trial_is_run_again_once_and_then_has_failed(
    study: optuna.Study, bench: Workbench
) -> None:
    first = ask(bench, study)
    retire(study, first, bench.space, "the worker died")
    # Until it is run again it is neither finished nor free.
    assert finished_trials(study) == []
    assert len(begun(study)) == 1
    retry_lost(study)
    again = ask(bench, study)
    assert again.params == first.params
    assert [t.number for t in begun(study)] == [again.number]

    retire(study, again, bench.space, "the worker died again")
    retry_lost(study)
    assert not study.get_trials(states=_WAITING)
    (record,) = finished_trials(study)
    assert (record.number, record.failure) == (again.number, "the worker died again")


def test_a_trial_lost_while_it_was_sampled_leaves_its_place(
    study: optuna.Study, bench: Workbench
) -> None:
    (trial,) = [study.ask()._get_latest_trial()]
    retire(study, trial, bench.space, "the worker died")
    retry_lost(study)
    assert standing_trials(study) == []
    assert has_room(standing_trials(study), 1)


@pytest.mark.parametrize("ended_on_purpose", [True, False])
def test_a_given_allocation_lost_while_it_was_taken_up_is_run_all_the_same(
    study: optuna.Study, bench: Workbench, ended_on_purpose: bool
) -> None:
    first, *others = bench.space.distributions().items()
    assert others
    given = dict.fromkeys(bench.space.distributions(), 0)
    study.enqueue_trial(given, {START: 0})
    study.ask()._suggest(*first)  # The worker dies before the next one.
    (half,) = study.get_trials(states=(TrialState.RUNNING,))
    if ended_on_purpose:
        requeue_stale(study, bench.space)
    else:
        retire(study, half, bench.space, "the worker died")
        retry_lost(study)
    again = ask(bench, study)
    assert again.params == given
    assert again.user_attrs[START] == 0


def test_several_who_notice_a_loss_make_one_retry(shared: OpenStudy, bench: Workbench) -> None:
    lost = ask(bench, shared())

    def notice(_: int) -> None:
        study = shared()
        retire(study, lost, bench.space, "the worker died")
        retry_lost(study)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(notice, range(6)))
    (retry,) = standing_trials(shared())
    assert retry.state == TrialState.WAITING
    assert retry.system_attrs["fixed_params"] == lost.params


def test_one_who_was_taken_for_dead_and_finished_first_keeps_its_result(
    study: optuna.Study, bench: Workbench
) -> None:
    trial = ask(bench, study)
    study.tell(trial.number, [0.5, 1.0])
    retire(study, trial, bench.space, "the worker died")
    retry_lost(study)
    (standing,) = standing_trials(study)
    assert standing.state == TrialState.COMPLETE


def test_a_trial_ended_on_purpose_may_still_die_once(study: optuna.Study, bench: Workbench) -> None:
    first = ask(bench, study)
    assert requeue_stale(study, bench.space) == 1
    again = ask(bench, study)
    assert again.params == first.params
    retire(study, again, bench.space, "the worker died")
    retry_lost(study)
    assert ask(bench, study).params == first.params
    assert finished_trials(study) == []


def test_a_retry_goes_before_new_trials_where_room_is_short(
    study: optuna.Study, bench: Workbench
) -> None:
    trials = [ask(bench, study) for _ in range(3)]
    assert not has_room(standing_trials(study), 3)
    retire(study, trials[1], bench.space, "the worker died")
    retry_lost(study)
    assert has_room(standing_trials(study), 3)
    again = ask(bench, study)
    assert is_claimed(study, again.number, 3)
    assert not has_room(standing_trials(study), 3)
