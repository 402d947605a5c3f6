"""The confirm stage: fresh seeds, paired rows, and nothing computed twice or lost."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from points import point

from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.store import save_graph, save_labels
from sgq_auto.searching import Granularity, SearchSettings
from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.confirming.confirm import confirm, confirmed_rows, fresh_seeds
from sgq_auto.searching.confirming.confirm_rows import DISTILLED, ConfirmRow
from sgq_auto.searching.confirming.confirmed_allocation import Confirmed, Shipped
from sgq_auto.searching.confirming.drop_estimate import DropEvidence, StepEvidence
from sgq_auto.searching.confirming.recommendation import choose_recommended
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.settings.promise_settings import Promise
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.summary.summary_entries import nearest_miss

pytestmark = pytest.mark.system

SettingsBuilder = Callable[..., SearchSettings]


def result(drop: float) -> Confirmed:
    """A point whose artifact loses at most ``drop``; its mean over seeds does not decide."""
    shipped = Shipped(1, 0.8, drop - 1, drop, drop - 2, drop, 0.5, 0.8, 99.0)
    return Confirmed(5, 0.8, 99.0, 99.0, 0.8, 0.01, 99.0, 0.01, 99.0, 99.0, shipped)


@pytest.fixture
def folder(tmp_path: Path, synthetic: PreparedData) -> StudyFolder:
    folder = StudyFolder(tmp_path, "s")
    save_graph(synthetic.graph, folder.graph)
    save_labels(synthetic.held_out, folder.held_out)
    return folder


@pytest.fixture
def confirm_one(
    folder: StudyFolder, settings: SettingsBuilder
) -> Callable[[], dict[int | None, Confirmed]]:
    """Confirms one point of a study of one trial."""
    search = settings(granularity=Granularity.UNIFORM, n_trials=1)
    return lambda: confirm(search, folder, [point(0, 0.5, 100)], lambda *_: None)


def test_rows_are_paired_kept_and_not_trained_again(
    folder: StudyFolder, settings: SettingsBuilder
) -> None:
    search = settings(granularity=Granularity.UNIFORM, n_trials=1)
    points = [point(0, 0.5, 100), point(2, 0.6, 300)]
    stages: list[Stage] = []
    results = confirm(search, folder, points, stages.append, "second round")
    seen = [(stage.done, stage.total) for stage in stages if stage.text == "second round"]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    # Full precision of both seeds, of their teachers, and of what they are compared with.
    trained = [stage for stage in stages if stage.text.startswith("training full-precision")]
    assert [stage.done for stage in trained] == list(range(trained[0].total + 1))
    assert set(results) == {None, DISTILLED, 0, 2}
    assert results[None].val_drop == results[None].test_accuracy_drop == 0
    rows = [json.loads(line) for line in folder.confirmed.read_text().splitlines()]
    assert len(rows) == 2 * 4
    assert {row["seed"] for row in rows} == set(fresh_seeds(search))
    tests = [row["test_accuracy"] for row in rows if row["trial"] == 0]
    assert results[0].test_accuracy == pytest.approx(sum(tests) / 2)
    full = [row["test_accuracy"] for row in rows if row["trial"] is None]
    drop = 100 * (sum(full) - sum(tests)) / 2
    assert results[0].test_accuracy_drop == pytest.approx(drop)

    folder.graph.unlink()  # Whoever trains again fails.
    assert confirm(search, folder, points, lambda *_: None) == results


def test_a_line_that_a_kill_cut_short_is_trained_again(
    folder: StudyFolder, confirm_one: Callable[[], dict[int | None, Confirmed]]
) -> None:
    results = confirm_one()
    whole = folder.confirmed.read_bytes()
    folder.confirmed.write_bytes(whole[:-20])
    assert confirm_one() == results
    assert confirm_one() == results


@pytest.mark.slow
def test_a_row_of_an_earlier_version_is_trained_again(
    folder: StudyFolder, confirm_one: Callable[[], dict[int | None, Confirmed]]
) -> None:
    results = confirm_one()
    rows = [json.loads(line) for line in folder.confirmed.read_text().splitlines()]
    for row in rows:
        # It kept an estimate, by a rule that has changed since.
        row["estimated_drop"] = 99.0
        del row["evidence"]
    folder.confirmed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert confirm_one() == results
    kept = folder.confirmed.read_text().splitlines()
    assert sum('"evidence"' in line for line in kept) == len(rows)


def test_rows_of_other_bits_do_not_count(folder: StudyFolder, settings: SettingsBuilder) -> None:
    search = settings(granularity=Granularity.UNIFORM, n_trials=1)
    old = point(0, 0.5, 100)
    results = confirm(search, folder, [old], lambda *_: None)
    # A study of the same name in another storage may number its trials otherwise.
    new = replace(old, record=replace(old.record, params={"all": 2}))
    assert confirm(search, folder, [new], lambda *_: None)[0] != results[0]
    for each in (old, new):
        rows = confirmed_rows(folder, search, 0, each.params)
        assert [row.params for row in rows] == [each.params] * 2


def test_points_are_confirmed_without_a_twin_that_diverged() -> None:
    nothing = StepEvidence(0.0, 0.0, 0.0, 0.0)
    evidence = DropEvidence(nothing, nothing, 0.0, 0.0)
    full = [ConfirmRow(seed, None, None, 0.8, 0.8, evidence) for seed in (1, 2)]
    own = [ConfirmRow(seed, 0, {"all": 1}, 0.7, 0.7, evidence) for seed in (1, 2)]
    alone, beside = (Confirmed.of(full, twin, own, Promise(0.4, 0.9)) for twin in (None, full))
    assert alone.distilled_estimated_drop is alone.distilled_test_accuracy_drop is None
    assert beside.distilled_test_accuracy_drop == pytest.approx(10.0)
    assert alone.shipped == beside.shipped
    assert alone.test_accuracy_drop == pytest.approx(10.0)


def test_recommended_is_the_smallest_within_tolerance() -> None:
    points = [point(0, 0.7, 100), point(1, 0.75, 200), point(2, 0.8, 300)]
    results = {None: result(0), 0: result(0.5), 1: result(0.4), 2: result(-1)}
    assert choose_recommended(points, results, Promise(0.4, 0.9)) == points[1]


def test_no_recommendation_names_the_nearest_miss(bench: Workbench) -> None:
    points = [point(0, 0.7, 100_000), point(1, 0.75, 200_000)]
    results = {None: result(0), 0: result(5.0), 1: result(2.5)}
    assert choose_recommended(points, results, Promise(0.4, 0.9)) is None
    miss = nearest_miss(bench, points, results)
    assert miss["trial"] == 1
    assert miss["reason"].startswith("no confirmed point loses at most 0.4 points with 90 %")
    assert miss["reason"].endswith(
        "loses at most 2.50 points with that confidence (estimate +1.50)"
    )
    assert choose_recommended([], {}, Promise(0.4, 0.9)) is None
    assert nearest_miss(bench, [], {}) == {"reason": "no point was confirmed"}
