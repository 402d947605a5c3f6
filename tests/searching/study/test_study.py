"""The study: enqueued trials, duplicates, failures, kills, and one front for one seed."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from sgq_auto.errors import InputError
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.study import (
    enqueue_start,
    finished_trials,
    make_sampler,
    open_study,
)
from sgq_auto.searching.trials.trial_claims import requeue_stale
from sgq_auto.searching.trials.trial_records import Measurement
from sgq_auto.searching.workers.trial_runner import TrialRunner
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings
from sgq_auto.training import DivergedError

pytestmark = pytest.mark.system


def start(bench: Workbench, folder: Path, name: str = "s") -> TrialRunner:
    folder.mkdir(exist_ok=True)
    study = open_study(bench.settings, folder, name)
    found = SearchStart.prepare(bench, folder / "sensitivities.json")
    enqueue_start(study, found.allocations)
    return TrialRunner(bench, study, found)


def run(runner: TrialRunner, count: int) -> None:
    for _ in range(count):
        trial = runner.ask()
        assert trial is not None
        runner.run(trial)


def fronts(runner: TrialRunner) -> list[tuple[dict[str, int], float, int]]:
    return [(r.params, r.val_accuracy, r.num_bytes) for r in finished_trials(runner.study)]


def test_uniform_allocations_run_first(bench: Workbench, tmp_path: Path) -> None:
    runner = start(bench, tmp_path / "a")
    run(runner, 3)
    assert [r.params for r in finished_trials(runner.study)] == bench.space.uniform()


def test_a_trial_records_what_the_footprint_says(bench: Workbench, tmp_path: Path) -> None:
    runner = start(bench, tmp_path / "a")
    run(runner, 1)
    (record,) = finished_trials(runner.study)
    allocation = bench.space.allocation(record.params)
    assert record.measurement is not None
    assert record.measurement.footprint == bench.footprints.packed(allocation).as_dict()
    assert record.num_bytes == record.measurement.footprint["resident_bytes"]
    assert record.val_accuracy in dict(record.measurement.curve).values()
    assert 0 < record.measurement.finetune_seconds < record.worker_seconds


def test_one_seed_gives_one_study(bench: Workbench, tmp_path: Path) -> None:
    first, second = start(bench, tmp_path / "a"), start(bench, tmp_path / "b")
    run(first, 8)
    run(second, 8)
    assert fronts(first) == fronts(second)


def test_a_killed_study_goes_on_as_it_would_have(bench: Workbench, tmp_path: Path) -> None:
    whole = start(bench, tmp_path / "a")
    run(whole, 8)
    killed = start(bench, tmp_path / "b")
    run(killed, 5)
    killed.ask()  # The process dies here: the trial is left running.
    again = start(bench, tmp_path / "b")
    assert requeue_stale(again.study, bench.space) == 1
    assert len(finished_trials(again.study)) == 5
    run(again, 3)
    assert fronts(again) == fronts(whole)


def test_a_first_trial_that_was_killed_is_run_again(bench: Workbench, tmp_path: Path) -> None:
    start(bench, tmp_path / "a").ask()
    again = start(bench, tmp_path / "a")
    requeue_stale(again.study, bench.space)
    run(again, 3)
    widest = bench.space.uniform()[0]
    assert widest in [r.params for r in finished_trials(again.study)]
    assert len(finished_trials(again.study)) == 3


def test_a_duplicate_is_not_trained_again(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseeded = replace(bench, settings=replace(bench.settings, seeding=0))
    runner = start(unseeded, tmp_path / "a")
    run(runner, 1)
    runner.study.enqueue_trial(bench.space.uniform()[0])
    trained: list[BitAllocation] = []
    measure = Workbench.measure

    def counting(self: Workbench, allocation: BitAllocation, *more: Any) -> Measurement:
        trained.append(allocation)
        return measure(self, allocation, *more)

    monkeypatch.setattr(Workbench, "measure", counting)
    run(runner, 3)
    records = finished_trials(runner.study)
    assert len(trained) == 2
    assert records[3].params == records[0].params
    assert records[3].val_accuracy == records[0].val_accuracy
    assert records[3].measurement is not None
    assert records[3].measurement.duplicate_of == 0
    assert records[3].measurement.finetune_seconds == 0


def test_a_trial_that_diverges_fails_with_its_reason_and_the_study_goes_on(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = start(bench, tmp_path / "a")
    with monkeypatch.context() as patch:

        def diverge(*_: object) -> Measurement:
            raise DivergedError("the loss is nan in epoch 1")

        patch.setattr(Workbench, "measure", diverge)
        run(runner, 1)
    run(runner, 2)
    records = finished_trials(runner.study)
    failure = records[0].failure
    assert failure is not None
    assert failure.startswith("DivergedError: the loss is nan in epoch 1")
    assert [r.complete for r in records] == [False, True, True]


def test_a_trial_that_an_error_ends_keeps_its_traceback(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = start(bench, tmp_path / "a")

    def mistaken(*_: object) -> Measurement:
        raise KeyError("weight")

    monkeypatch.setattr(Workbench, "measure", mistaken)
    run(runner, 1)
    (record,) = finished_trials(runner.study)
    assert record.failure is not None
    assert record.failure.startswith("KeyError: 'weight'")
    assert record.traceback is not None
    assert "in mistaken" in record.traceback


@pytest.mark.parametrize("target", ["TPESampler", "NSGAIISampler", "GPSampler", "RandomSampler"])
def test_every_sampler_runs_and_depends_on_seed_and_place_alone(
    target: str, bench: Workbench, tmp_path: Path
) -> None:
    arguments = {"population_size": 4} if target == "NSGAIISampler" else {}
    sampler = {"_target_": f"optuna.samplers.{target}", **arguments}
    object.__setattr__(bench.settings, "sampler", sampler)
    first, second = start(bench, tmp_path / "a"), start(bench, tmp_path / "b")
    run(first, 7)
    run(second, 7)
    assert fronts(first) == fronts(second)


def test_an_unknown_sampler_argument_is_one_line(bench: Workbench) -> None:
    object.__setattr__(
        bench.settings, "sampler", {"_target_": "optuna.samplers.TPESampler", "wrong": 1}
    )
    with pytest.raises(InputError, match=r"sampler=tpe.*wrong") as caught:
        make_sampler(bench.settings)
    assert "\n" not in str(caught.value)


def test_the_study_has_two_named_directions(bench: Workbench, tmp_path: Path) -> None:
    study = start(bench, tmp_path / "a").study
    directions = [optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE]
    assert study.directions == directions
    assert study.metric_names == ["val_accuracy", "resident_bytes"]


def test_a_database_driver_that_is_missing_is_one_line_that_names_it(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    storage = StorageSettings(StorageKind.POSTGRESQL, "postgresql+psycopg://sgq@127.0.0.1:9/study")
    with pytest.raises(
        InputError, match=r"psycopg.*pip install 'sgq-auto\[postgresql\]'"
    ) as caught:
        open_study(replace(bench.settings, storage=storage), tmp_path, "s")
    assert "\n" not in str(caught.value)
