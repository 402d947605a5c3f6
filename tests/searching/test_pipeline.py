"""A whole search inside one process tree: workers, labels, totals."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.store import load_graph
from sgq_auto.packed import Objective, load
from sgq_auto.packed.allocation import DEFAULT_LADDER
from sgq_auto.reporting import ResultFiles
from sgq_auto.searching import (
    Budget,
    ConfirmSettings,
    Granularity,
    SearchSettings,
    StudyProgress,
    TrialRecord,
    run_search,
)
from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.confirming.confirm import confirm
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.studies.reopen_study import reopen
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.training import DivergedError, FitSettings

pytestmark = pytest.mark.system

SettingsBuilder = Callable[..., SearchSettings]


class Recorder:
    """A watcher that notes what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.stages: list[Stage] = []
        self.trials: list[int] = []
        self.lines: list[str] = []

    def stage(self, stage: Stage | None) -> None:
        assert stage is not None
        self.events.append(stage.text)
        self.stages.append(stage)

    def said(self, line: str) -> None:
        self.events.append("said")
        self.lines.append(line)

    def started(self, progress: StudyProgress) -> None:
        self.progress = progress
        self.events.append("started")

    def left(self, _: StudyProgress) -> None:
        self.events.append("left")

    def trials_finished(self, _: StudyProgress, new: Sequence[TrialRecord]) -> None:
        self.trials += [record.number for record in new]

    def finished(self, *_: object) -> None:
        self.events.append("finished")


def test_two_workers_run_each_trial_once(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    recorder = Recorder()
    outcome = run_search(settings(workers=2), synthetic, [recorder], tmp_path / "summary.json")
    counts = {"complete": 8, "stopped_early": 0, "failed": 0}
    assert outcome.summary["trials"] == counts
    assert sorted(recorder.trials) == list(range(8))
    warning = outcome.summary["guessing"]["warning"]
    assert recorder.lines == ([warning] if warning else [])
    _check_stages(recorder, outcome.summary)
    assert json.loads((tmp_path / "summary.json").read_text())["study"] == outcome.summary["study"]

    again = Recorder()
    repeated = run_search(settings(workers=2), synthetic, [again], tmp_path / "summary.json")
    assert again.trials == []
    assert repeated.summary["front"] == outcome.summary["front"]
    assert repeated.summary["recommended"] == outcome.summary["recommended"]


def _check_stages(recorder: Recorder, summary: dict[str, Any]) -> None:
    """Every stage says what is done and how far it is, in the order in which it is done."""
    *_, last = recorder.events
    texts = [text for text in dict.fromkeys(recorder.events) if text != "said"]
    assert texts[:4] == [
        "checking the model",
        "training 4 full-precision models",
        "measuring what few bits cost each group",
        "started",
    ]
    assert texts[4] == "training full-precision models on fresh seeds"
    assert (texts[-2], last) == ("packing", "finished")
    rounds: dict[str, list[tuple[int, int | None]]] = {}
    for stage in recorder.stages:
        counts = rounds.setdefault(stage.text, [])
        counts += [] if (stage.done, stage.total) in counts else [(stage.done, stage.total)]
    trained = rounds["training 4 full-precision models"]
    assert trained == [(0, 4), (1, 4), (2, 4), (3, 4)]
    # The points of the front, and then one more at a time.
    confirmed = {t: r for t, r in rounds.items() if t.startswith(("confirming", "refining"))}
    names = list(confirmed)
    assert names[0] == "confirming 2 points on fresh seeds"
    assert all(f", round {k} of at most 4" in name for k, name in enumerate(names[1:], start=1))
    assert all(counts == [(0, 2), (1, 2), (2, 2)] for counts in confirmed.values())
    assert len(summary["confirmed"]) == 2 + len(names) - 1


@pytest.mark.slow
def test_eight_workers_neither_lose_nor_repeat_a_trial(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    search = settings(
        workers=8,
        n_trials=200,
        granularity=Granularity.LWQ_CWQ_TAQ,
        ladder=DEFAULT_LADDER,
        sampler={"_target_": "sgq_auto.searching.samplers.AutoBitSampler"},
        confirm=ConfirmSettings(seeds=1, max_points=1),
    )
    recorder = Recorder()
    outcome = run_search(search, synthetic, [recorder], tmp_path / "summary.json")
    assert outcome.failure is None
    assert sorted(recorder.trials) == list(range(200))
    records = recorder.progress.records
    first = [tuple(r.params.values()) for r in records if not r.repeat]
    assert len(set(first)) == len(first)
    assert not any(r.failure or r.duplicate for r in records)
    measured = {(tuple(r.params.values()), r.repeat) for r in records}
    assert len(measured) == 200
    assert sum(r.repeat > 0 for r in records) == 23


def page_of(results: ResultFiles) -> str:
    """The report, its figures and units held together by plain spaces."""
    return results.report.read_text().replace("\u00a0", " ")


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize("objective", list(Objective))
def test_a_budget_that_nothing_keeps_is_an_answer_that_costs_no_training(
    objective: Objective,
    settings: SettingsBuilder,
    synthetic: PreparedData,
    tmp_path: Path,
) -> None:
    recorder, results = Recorder(), ResultFiles(tmp_path / "results")
    results.folder.mkdir()
    search = settings(budget=Budget(max_kib=0.1), objective=objective)
    outcome = run_search(search, synthetic, [recorder, results], tmp_path / "summary.json")
    assert recorder.trials == []
    assert recorder.events == ["checking the model", "started", "finished"]
    assert outcome.failure is None
    assert outcome.summary["recommended"] is None
    reason = outcome.summary["recommended_reason"]
    assert reason.startswith("nothing fits: max_kib=0.1, and the fewest bits everywhere take")
    miss = outcome.summary["nearest_miss"]
    assert miss[objective] > 102
    assert set(miss["bits"].values()) <= {1, 4}
    full = outcome.summary["full_precision"]
    assert (full["val_accuracy"], full["search_val_accuracy"]) == (None, None)
    assert full[objective] > miss[objective]
    # Every page and picture that can be made is there, and says why.
    assert reason in page_of(results)
    assert (results.folder / "front.png").stat().st_size > 5000
    assert not (tmp_path / "pretrained").exists()
    # What is reopened later is the same answer, and costs no more.
    (folder,) = StudyFolder.all_under(tmp_path)
    again = reopen(search, folder)
    assert again.progress.bench.nothing_fits == reason
    assert again.summary == json.loads((tmp_path / "summary.json").read_text())
    assert not folder.sensitivities.exists()


@pytest.mark.slow
def test_a_budget_that_the_smallest_allocation_just_keeps_is_searched(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    bench = Workbench.build(settings(), synthetic.graph)
    smallest = bench.footprints.packed(bench.space.smallest()).resident_bytes
    search = settings(budget=Budget(max_kib=smallest / 1024), n_trials=2)
    outcome = run_search(search, synthetic, [], tmp_path / "summary.json")
    assert outcome.summary["trials"]["complete"] == 2
    assert {p["resident_bytes"] for p in outcome.summary["confirmed"]} <= {smallest}
    tighter = settings(budget=Budget(max_kib=(smallest - 1) / 1024))
    assert Workbench.build(tighter, synthetic.graph).nothing_fits is not None


def test_a_drop_that_no_trial_keeps_is_an_answer(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    results = ResultFiles(tmp_path)
    finetune = FitSettings(1, 1e-6, 0.0)  # One step that moves nothing: bits cost in full.
    search = settings(budget=Budget(max_drop=0), finetune=finetune, ladder=(1,), n_trials=2)
    outcome = run_search(search, synthetic, [results], tmp_path / "summary.json")
    assert outcome.summary["front"] == []
    assert outcome.summary["recommended"] is None
    assert "no confirmed point loses at most 0 points" in outcome.summary["recommended_reason"]
    assert outcome.summary["recommended_reason"] in page_of(results)
    assert (tmp_path / "front.png").exists()


def test_a_search_stays_within_its_budget(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    search = settings(
        budget=Budget(max_kib=6.2, max_drop=50),
        n_trials=24,
        sampler={"_target_": "sgq_auto.searching.samplers.AutoBitSampler"},
    )
    recorder = Recorder()
    outcome = run_search(search, synthetic, [recorder], tmp_path / "summary.json")
    records = recorder.progress.records
    assert len(records) == 24
    within = [r.num_bytes <= 6.2 * 1024 for r in records]
    # The sampler prefers what fits; only its random start may lie outside.
    assert sum(within) >= 20
    assert all(p["resident_bytes"] <= 6.2 * 1024 for p in outcome.summary["front"])
    assert all(p["resident_bytes"] <= 6.2 * 1024 for p in outcome.summary["confirmed"])
    assert outcome.summary["recommended"]["resident_bytes"] <= 6.2 * 1024
    (folder,) = (tmp_path / "studies").iterdir()
    study = optuna.load_study(storage=open_storage(search.storage, folder), study_name=folder.name)
    for trial, record in zip(study.trials, records, strict=True):
        assert trial.constraints["max_kib"] == pytest.approx(record.num_bytes / 1024 - 6.2)
    assert all(best.values[1] <= 6.2 * 1024 for best in study.best_trials)


def tensors_in(thing: Any, seen: set[int]) -> Iterator[torch.Tensor]:
    """Every tensor that can be reached from an object through attributes and containers."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from tensors_in(value, seen)
    elif isinstance(thing, list | tuple | set):
        for value in thing:
            yield from tensors_in(value, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        yield from tensors_in(vars(thing), seen)


def test_no_test_label_is_reachable_from_what_a_trial_sees(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    """Invariant 5: two datasets that differ in test labels alone look the same to a trial."""
    held_out = synthetic.held_out
    moved = (held_out.labels + 1) % synthetic.graph.num_classes
    other = PreparedData(synthetic.graph, type(held_out)(held_out.nodes, moved))
    seen = []
    for data, name in ((synthetic, "a"), (other, "b")):
        search = settings(output_root=tmp_path / name, n_trials=2)
        run_search(search, data, [], tmp_path / name / "summary.json")
        (folder,) = (tmp_path / name / "studies").iterdir()
        bench = Workbench.build(search, load_graph(folder / "graph.safetensors"))
        labels = [t for t in tensors_in(bench, set()) if not t.is_floating_point()]
        seen.append(labels)
        train_and_val = torch.cat([bench.graph.train.nodes, bench.graph.val.nodes])
        assert not set(train_and_val.tolist()) & set(held_out.nodes.tolist())
    assert len(seen[0]) == len(seen[1]) > 4
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    assert not any(
        t.shape == held_out.labels.shape and torch.equal(t, held_out.labels) for t in seen[0]
    )


def test_an_output_folder_that_cannot_be_written_is_one_line(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="cannot be written") as caught:
        run_search(settings(output_root=blocked), synthetic, [], tmp_path / "summary.json")
    assert "\n" not in str(caught.value)


def test_the_recommended_point_becomes_an_artifact_that_is_what_was_confirmed(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    outcome = run_search(settings(tolerance=100), synthetic, [], tmp_path / "summary.json")
    best = outcome.summary["recommended"]
    assert best["artifact_reason"] is None
    path = Path(best["artifact_path"])
    packed = load(path)
    assert packed.footprint().stored_bytes == best["stored_bytes"]
    assert packed.footprint().resident_bytes == best["resident_bytes"]
    assert packed.allocation.by_name() == best["bits"]
    assert packed.source["trial"] == best["trial"]
    assert path.stat().st_size == best["artifact_file_bytes"]
    graph = synthetic.graph
    logits = torch.from_numpy(packed.predict())[graph.node_order]
    # A tie between two codes may fall the other way in fp32: a node or so of 80.
    assert graph.val.accuracy(logits) == pytest.approx(packed.source["val_accuracy"], abs=0.03)

    written = path.stat().st_mtime_ns
    run_search(settings(tolerance=100), synthetic, [], tmp_path / "summary.json")
    assert path.stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_study_stays_the_same_when_its_classes_are_named(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    names = ("north", "east", "south", "west")
    named = replace(synthetic, graph=replace(synthetic.graph, class_names=names))
    recorder = Recorder()
    logits = []
    for data, classes in ((synthetic, ("0", "1", "2", "3")), (named, names)):
        outcome = run_search(settings(tolerance=100), data, [recorder], tmp_path / "summary.json")
        packed = load(outcome.summary["recommended"]["artifact_path"])
        assert packed.classes == classes
        logits.append(packed.predict())
    (folder,) = (tmp_path / "studies").iterdir()
    (folder / "graph.safetensors").write_bytes(b"damaged")
    run_search(settings(tolerance=100), named, [recorder], tmp_path / "summary.json")
    assert load_graph(folder / "graph.safetensors").class_names == names
    assert recorder.trials == list(range(8))
    assert (logits[0] == logits[1]).all()


def test_an_artifact_that_cannot_be_written_costs_no_result(
    settings: SettingsBuilder,
    synthetic: PreparedData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("sgq_auto.searching.confirming.pack_trial.save", full_disk)
    outcome = run_search(settings(tolerance=100), synthetic, [], tmp_path / "summary.json")
    best = outcome.summary["recommended"]
    assert best["artifact_path"] is None
    assert "no space left" in best["artifact_reason"]
    assert outcome.failure is None


@pytest.mark.parametrize(
    "error",
    [
        DivergedError("full precision"),
        pytest.param(KeyboardInterrupt(), marks=pytest.mark.slow),
    ],
)
def test_what_was_confirmed_before_a_failure_stays_confirmed(
    error: BaseException,
    settings: SettingsBuilder,
    synthetic: PreparedData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds = []

    def fails_in_the_second_round(*arguments: Any) -> Any:
        rounds.append(len(rounds))
        if len(rounds) == 2:
            raise error
        return confirm(*arguments)

    monkeypatch.setattr(
        "sgq_auto.searching.confirming.recommendation.confirm", fails_in_the_second_round
    )
    # The one point of the first round holds, so that a smaller one is tried in a second.
    search = settings(tolerance=100, confirm=ConfirmSettings(seeds=2, max_points=1))
    outcome = run_search(search, synthetic, [], tmp_path / "summary.json")
    assert outcome.interrupted == isinstance(error, KeyboardInterrupt)
    assert outcome.failure
    best = outcome.summary["recommended"]
    assert best["trial"] in {p["trial"] for p in outcome.summary["confirmed"] if p["confirmed"]}
    assert bool(best["artifact_path"]) != outcome.interrupted
    assert bool(best["artifact_reason"]) == outcome.interrupted
