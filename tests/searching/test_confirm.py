"""The confirm stage: fresh seeds, paired rows, and nothing computed twice or lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.store import save_graph, save_labels
from sgq_auto.searching import ConfirmSettings, Granularity, SearchSettings, TrialRecord
from sgq_auto.searching.confirm import (
    Confirmed,
    choose_between,
    choose_points,
    confirm,
    fresh_seeds,
)
from sgq_auto.searching.folder import StudyFolder
from sgq_auto.searching.records import Measurement
from sgq_auto.searching.repeats import Estimate
from sgq_auto.searching.summary import choose_recommended, nearest_miss
from sgq_auto.searching.workbench import Workbench

SettingsBuilder = Callable[..., SearchSettings]


def point(number: int, accuracy: float, num_bytes: int) -> Estimate:
    measurement = Measurement(accuracy, {}, 1.0, (), 0.1)
    params = {"all": number % 3}
    record = TrialRecord(number, params, num_bytes, measurement, 0.1, None, 0, 0)
    return Estimate(record, accuracy, 1)


def result(drop: float) -> Confirmed:
    return Confirmed(5, 0.8, 99.0, drop, 0.8, 0.01, drop, 0.01)


@pytest.fixture
def folder(tmp_path: Path, synthetic: PreparedData) -> StudyFolder:
    folder = StudyFolder(tmp_path, "s")
    save_graph(synthetic.graph, folder.graph)
    save_labels(synthetic.held_out, folder.held_out)
    return folder


def test_rows_are_paired_kept_and_not_trained_again(
    folder: StudyFolder, settings: SettingsBuilder
) -> None:
    search = settings(granularity=Granularity.UNIFORM, n_trials=1)
    points = [point(0, 0.5, 100), point(2, 0.6, 300)]
    seen: list[tuple[int, int]] = []
    results = confirm(search, folder, points, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert set(results) == {None, 0, 2}
    assert results[None].val_drop == results[None].test_accuracy_drop == 0
    rows = [json.loads(line) for line in folder.confirmed.read_text().splitlines()]
    assert len(rows) == 2 * 3
    assert {row["seed"] for row in rows} == set(fresh_seeds(search))
    tests = [row["test_accuracy"] for row in rows if row["trial"] == 0]
    assert results[0].test_accuracy == pytest.approx(sum(tests) / 2)
    full = [row["test_accuracy"] for row in rows if row["trial"] is None]
    drop = 100 * (sum(full) - sum(tests)) / 2
    assert results[0].test_accuracy_drop == pytest.approx(drop)

    folder.graph.unlink()  # Whoever trains again fails.
    assert confirm(search, folder, points, lambda *_: None) == results


def test_a_line_that_a_kill_cut_short_is_trained_again(
    folder: StudyFolder, settings: SettingsBuilder
) -> None:
    search = settings(granularity=Granularity.UNIFORM, n_trials=1)
    points = [point(0, 0.5, 100)]
    results = confirm(search, folder, points, lambda *_: None)
    whole = folder.confirmed.read_bytes()
    folder.confirmed.write_bytes(whole[:-20])
    assert confirm(search, folder, points, lambda *_: None) == results
    assert confirm(search, folder, points, lambda *_: None) == results


def test_most_points_lie_near_the_tolerance() -> None:
    front = [point(k, 0.60 + 0.01 * k, 100 + 10 * k) for k in range(22)]
    chosen = choose_points(front, 0.80, 0.4, ConfirmSettings(max_points=4))
    assert len(chosen) == 4
    near = [p for p in chosen if p.val_accuracy >= 0.80 - 0.014]
    assert len(near) == 3
    assert front[19] in near


def test_a_front_far_below_the_tolerance_is_confirmed_all_the_same() -> None:
    front = [point(k, 0.3 + 0.01 * k, 100 + 10 * k) for k in range(5)]
    assert choose_points(front, 0.80, 0.4, ConfirmSettings(max_points=8)) == front
    assert len(choose_points(front, 0.80, 0.4, ConfirmSettings(max_points=1))) == 1


def test_trials_that_noise_put_behind_the_front_stand_in() -> None:
    lucky = point(0, 0.82, 100)
    behind = [point(k, 0.80, 100 + 10 * k) for k in range(1, 4)]
    poor = point(4, 0.5, 400)
    chosen = choose_points([lucky, *behind, poor], 0.81, 0.4, ConfirmSettings(max_points=8))
    assert chosen == [lucky, *behind]


def test_where_full_precision_was_lucky_the_best_trials_count_as_near() -> None:
    front = [point(0, 0.60, 100), point(1, 0.70, 200)]
    behind = [point(2, 0.695, 300), point(3, 0.69, 400), point(4, 0.5, 500)]
    chosen = choose_points([*front, *behind], 0.9, 0.4, ConfirmSettings(max_points=8))
    assert chosen == [*front, behind[0], behind[1]]


def test_a_further_point_lies_between_what_holds_and_what_does_not() -> None:
    measured = [point(k, 0.70 + 0.001 * (k % 5), 100 + 10 * k) for k in range(20)]

    def chosen(**held: bool) -> Estimate | None:
        return choose_between(measured, [(measured[int(k[1:])], h) for k, h in held.items()])

    # Between 140 and 240 bytes; of middling size are 160 to 200; there 190 is the most accurate.
    assert chosen(p0=False, p4=False, p14=True, p19=True) == measured[9]
    assert chosen(p4=False, p9=True) == measured[7]
    assert chosen(p0=False, p1=True) is None
    # Nothing holds: the most accurate of the larger ones. Everything holds: of the smaller ones.
    assert chosen(p4=False) == measured[9]
    assert chosen(p4=True) == measured[3]
    assert choose_between([], []) is None
    # Of two points of one size, one that holds is enough.
    twin = point(30, 0.5, 240)
    assert choose_between(measured, [(twin, True), (measured[14], False)]) == measured[4]


def test_an_empty_front_confirms_nothing() -> None:
    assert choose_points([], 0.8, 0.4, ConfirmSettings()) == []


def test_recommended_is_the_smallest_within_tolerance() -> None:
    points = [point(0, 0.7, 100), point(1, 0.75, 200), point(2, 0.8, 300)]
    results = {None: result(0), 0: result(0.5), 1: result(0.4), 2: result(-1)}
    assert choose_recommended(points, results, 0.4) == points[1]


def test_no_recommendation_names_the_nearest_miss(bench: Workbench) -> None:
    points = [point(0, 0.7, 100_000), point(1, 0.75, 200_000)]
    results = {None: result(0), 0: result(5.0), 1: result(2.5)}
    assert choose_recommended(points, results, 0.4) is None
    miss = nearest_miss(bench, points, results)
    assert miss["trial"] == 1
    assert miss["reason"].endswith("the nearest is trial 1, 2.50 points below in 195.3 KiB")
    assert choose_recommended([], {}, 0.4) is None
    assert nearest_miss(bench, [], {}) == {"reason": "no point was confirmed"}
