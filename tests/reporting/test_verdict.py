"""What is said of an answer: why this point, what can be promised, what test nodes say."""

from typing import Any

import pytest

from made_studies import answered, of_earlier_version, shipped
from sgq_auto.reporting.verdict import (
    drop_points,
    file_lines,
    highest_drop,
    lost,
    more_than_allowed,
    promised,
    why_this_one,
)
from sgq_auto.searching import StudyProgress

MODELS = [shipped(0.5, 1.9, 0.3), shipped(-0.4, 0.31, 1.2), shipped(-0.9, -0.2, -0.7)]


@pytest.fixture
def found(progress: StudyProgress) -> dict[str, Any]:
    """Three points; the second is recommended and loses too much on test nodes."""
    return answered(progress, list(MODELS), best=1)


def kib_of(found: dict[str, Any], place: int) -> float:
    return float(found["confirmed"][place]["resident_bytes"]) / 1024


def test_why_names_the_bound_and_the_next_smaller_point(found: dict[str, Any]) -> None:
    first = found["confirmed"][0]
    assert why_this_one(found) == (
        "Why this one: of 3 confirmed points, it is the smallest whose artifact loses at most 0.4 "
        "points with 90 % confidence (bound +0.31); the next smaller one, trial "
        f"{first['trial']} in {kib_of(found, 0):,.1f} KiB, may lose 1.90"
    )


def test_why_of_points_of_one_size_names_the_nearest(progress: StudyProgress) -> None:
    models = [shipped(2.0, 3.0, 2.0), shipped(0.2, 0.9, 0.2), MODELS[1]]
    found = answered(progress, list(models), best=2)
    found["confirmed"][1]["resident_bytes"] = found["confirmed"][0]["resident_bytes"]
    assert "may lose 0.90" in (why_this_one(found) or "")


def test_why_of_the_smallest_says_that_none_is_smaller(progress: StudyProgress) -> None:
    found = answered(progress, list(MODELS[1:]), best=0)
    assert (why_this_one(found) or "").endswith("no smaller one was confirmed")
    alone = answered(progress, [MODELS[1]], best=0)
    assert "it is the only confirmed point" in (why_this_one(alone) or "")


def test_too_much_lost_on_test_nodes_is_said_with_the_next_price(found: dict[str, Any]) -> None:
    own, larger = (found["confirmed"][k]["resident_bytes"] for k in (1, 2))
    assert more_than_allowed(found) == (
        "On test nodes this artifact loses 1.20 points, more than the tolerance of 0.4; trial "
        f"{found['confirmed'][2]['trial']} (+{(larger - own) / 1024:,.1f} KiB, "
        f"{100 * (larger - own) / own:.0f} % larger) gains 0.70 points there. Test nodes had no "
        "part in the choice."
    )
    assert more_than_allowed(found | {"max_drop": 1.2}) is None
    strict = more_than_allowed(found | {"max_drop": 1})
    assert "more than the 1 that max_drop allows" in (strict or "")


def test_the_largest_point_has_no_next_price(progress: StudyProgress) -> None:
    found = answered(progress, [MODELS[0], MODELS[1]], best=1)
    assert "no larger point was confirmed" in (more_than_allowed(found) or "")


def test_nothing_is_said_where_the_artifact_holds_on_test_nodes(progress: StudyProgress) -> None:
    found = answered(progress, [shipped(0.0, 0.4, 0.1 + 0.2 + 0.1)], best=0)
    assert more_than_allowed(found) is None
    assert more_than_allowed(found | {"recommended": None}) is None


def test_what_can_be_promised_names_the_validation_nodes(progress: StudyProgress) -> None:
    found = answered(progress, [shipped(0.1, 1.1, 0.0)])
    found["nearest_miss"] = found["confirmed"][0]
    text = promised(found) or ""
    trial = found["confirmed"][0]["trial"]
    assert f"with 90 % confidence trial {trial} loses at most 1.10 points" in text
    assert "More validation labels would help: with 500 of them" in text
    assert "its drop is uncertain by ± 1.30 points" in text


def test_labels_do_not_help_where_the_estimate_itself_is_too_high(progress: StudyProgress) -> None:
    found = answered(progress, [shipped(0.9, 1.1, 0.0)])
    found["nearest_miss"] = found["confirmed"][0]
    text = promised(found) or ""
    assert "labels" not in text
    assert text.endswith("Its estimate, +0.90, is itself above 0.4.")


def test_the_file_stands_beside_the_mean_and_the_harder_ratio_first(found: dict[str, Any]) -> None:
    best = found["recommended"]
    sizes, own, mean = file_lines(found)
    assert sizes == (
        f"Recommended: trial {best['trial']}, {kib_of(found, 1):,.1f} KiB resident "
        f"({best['resident_ratio_sparse_fp32']:.1f}x smaller than sparse fp32, "
        f"{best['resident_ratio']:.1f}x than PyG fp32)"
    )
    assert own == (
        "Its one model (seed 7): validation accuracy 72.0 %, estimated drop -0.40 points (-1.32 to "
        "+0.52 with 90 % confidence), test accuracy 69.8 %, test drop +1.20"
    )
    # Student's t for 5 seeds is 2.776: 2.776 x 0.4 / sqrt(5) = 0.497.
    assert mean == (
        "Mean over seeds: test accuracy 70.0 ± 1.0 %, test accuracy drop +0.30 ± 0.50 (95 %) "
        "points over 5 seeds; +0.90 from distilled full precision"
    )


def test_flash_and_ram_are_said_where_the_search_bounds_them(found: dict[str, Any]) -> None:
    assert "in C" not in file_lines(found)[0]
    found["recommended"] |= {"flash_bytes": 76800, "ram_bytes": 8192}
    assert file_lines(found | {"max_ram_kib": 56, "max_flash_kib": None})[0].endswith(
        "; in C 75.0 KiB of flash and 8.0 KiB of RAM (at most 56), beside code and stack"
    )


def test_without_a_distilled_reference_none_is_named(found: dict[str, Any]) -> None:
    found["recommended"]["distilled_test_accuracy_drop"] = None
    assert "distilled" not in " ".join(file_lines(found))


def test_summaries_of_earlier_versions_say_what_they_know(found: dict[str, Any]) -> None:
    old = of_earlier_version(found)
    (line,) = file_lines(old)
    assert "test accuracy drop +0.30 ± 0.50 (95 %) points over 5 seeds" in line
    assert why_this_one(old) is more_than_allowed(old) is promised(old) is None
    (*_, last) = drop_points(old)
    assert (last.estimate, last.test_drop, last.interval, last.bits_cost) == (0.2, 0.3, None, None)


def test_points_that_lose_very_much_leave_room_for_the_others(progress: StudyProgress) -> None:
    found = answered(progress, [shipped(20.0, 25.0, 22.0), *MODELS[1:]], best=1)
    assert highest_drop(drop_points(found), 0.4) == 3.4
    # What is recommended is always inside.
    found = answered(progress, [shipped(0.1, 0.3, 8.0)], best=0)
    assert highest_drop(drop_points(found), 0.4) == 8.0


@pytest.mark.parametrize(
    ("drop", "words"),
    [(1.234, "loses 1.23 points"), (-0.7, "gains 0.70 points"), (-0.004, "loses nothing")],
)
def test_drops_in_words(drop: float, words: str) -> None:
    assert lost(drop) == words
