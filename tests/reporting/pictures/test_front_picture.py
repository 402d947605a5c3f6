"""The two panels of a front: what lies where, in the picture and in the report's charts."""

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_studies import answered, of_earlier_version, shipped, summary
from sgq_auto.reporting.pages import MarkKind
from sgq_auto.reporting.pictures.front_picture import front_figure, save_front_png
from sgq_auto.reporting.report.report_charts import drop_chart, search_chart
from sgq_auto.reporting.verdict.front_panels import Panels
from sgq_auto.searching import StudyProgress

MODELS = [shipped(0.5, 1.9, 0.3), shipped(-0.4, 0.31, 1.2), shipped(-0.9, -0.2, -0.7)]


@pytest.fixture
def found(progress: StudyProgress) -> dict[str, Any]:
    return answered(progress, list(MODELS), best=1)


def crowded(found: dict[str, Any]) -> dict[str, Any]:
    """The same with 16 points, most of them of nearly one size, and one that loses very much."""
    entries = [copy.deepcopy(found["confirmed"][k % 3]) for k in range(16)]
    for k, entry in enumerate(entries):
        entry["trial"] = 100 + k if k >= 3 else entry["trial"]
        if k >= 3:
            entry["resident_bytes"] = found["confirmed"][0]["resident_bytes"] + 3 * (k % 7)
            entry["confirmed"]["shipped"]["estimated_drop"] -= 0.1 * k
    entries[5]["confirmed"]["shipped"] |= {"estimated_drop": 30.0, "drop_at_most": 33.0}
    return found | {"confirmed": sorted(entries, key=lambda e: e["resident_bytes"])}


def test_the_panel_that_decides_has_the_interval_the_bound_and_the_tolerance(
    progress: StudyProgress, found: dict[str, Any]
) -> None:
    panels = Panels.of(progress, found)
    chart = drop_chart(panels, found)
    below = 100 - panels.drop.place(0.4)
    (band,) = chart.bands
    assert sorted(y for _, y in band.points) == pytest.approx([below] * 2 + [100] * 2, abs=0.01)
    assert band.name == "within the tolerance (0.4 points)"
    marks = {kind: [m for m in chart.marks if m.kind is kind] for kind in MarkKind}
    for place, model in enumerate(MODELS):
        estimate, bound, test = (
            marks[kind][place] for kind in (MarkKind.CONFIRMED, MarkKind.BOUND, MarkKind.TEST)
        )
        drops = (model.estimated_drop, model.drop_at_most, model.test_accuracy_drop)
        for mark, drop in zip((estimate, bound, test), drops, strict=True):
            assert mark.y == pytest.approx(100 - panels.drop.place(drop), abs=0.02)
        assert estimate.whisker == pytest.approx(
            [100 - panels.drop.place(end) for end in (model.drop_high, model.drop_low)], abs=0.02
        )
        assert estimate.x == bound.x < test.x  # Nothing of a point covers its test drop.
        assert f"at most {model.drop_at_most:+.2f}" in estimate.text
    ((ring,), best) = marks[MarkKind.RECOMMENDED], marks[MarkKind.CONFIRMED][1]
    assert (ring.x, ring.y) == (best.x, best.y)
    assert chart.label is not None
    assert chart.label.text.startswith(f"recommended: trial {found['recommended']['trial']}, ")
    assert chart.label.place == best.x


def test_the_panel_of_the_search_has_both_references_and_no_test_accuracy(
    progress: StudyProgress, found: dict[str, Any]
) -> None:
    panels = Panels.of(progress, found)
    chart = search_chart(progress, panels)
    assert panels.levels == (
        ("full precision", pytest.approx(71.0)),
        ("distilled full precision", pytest.approx(73.0)),
    )
    assert [level.name for level in chart.levels] == [
        "full precision, mean of seeds",
        "distilled full precision, mean of seeds",
    ]
    assert {mark.kind for mark in chart.marks} == {
        MarkKind.TRIAL,
        MarkKind.FRONT,
        MarkKind.RECOMMENDED,
    }
    assert chart.y.label == "validation accuracy (%)"


def test_crowded_points_have_a_place_each_and_what_loses_very_much_is_on_the_edge(
    progress: StudyProgress, found: dict[str, Any]
) -> None:
    panels = Panels.of(progress, crowded(found))
    assert np.diff(panels.places) == pytest.approx(100 / 16, abs=0.02)
    assert panels.slots.names == tuple(f"{point.kib:,.1f}" for point in panels.points)
    assert [point.num_bytes for point in panels.points] == sorted(
        entry["resident_bytes"] for entry in crowded(found)["confirmed"]
    )
    assert panels.drop.high < 4
    assert panels.edge_note == f"on the upper edge: above {panels.drop.high:.1f} points"
    assert Panels.of(progress, found).edge_note == ""


@pytest.mark.sampled
@pytest.mark.parametrize("is_crowded", [False, True])
@pytest.mark.parametrize("best", [0, 1, 2])
def test_no_words_cover_a_point(is_crowded: bool, best: int, progress: StudyProgress) -> None:
    made = answered(progress, list(MODELS), best=best)
    figure = front_figure(progress, crowded(made) if is_crowded else made)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    boxes += [axes.get_legend().get_window_extent() for axes in figure.axes]
    assert any("recommended: trial" in t.get_text() for t in figure.axes[0].texts)
    for axes in figure.axes:
        # What is drawn of points is in the panel; its markers may reach over the edge.
        panel = axes.get_window_extent()
        assert not any(panel.overlaps(box) for box in boxes)
    for axes in figure.axes:
        ticks = [tick for tick in axes.get_xticklabels() if tick.get_text()]
        corners = [tick.get_window_extent() for tick in ticks]
        if ticks[0].get_rotation() == 0:
            assert not any(a.overlaps(b) for a, b in itertools.pairwise(corners))
        legend, label = axes.get_legend().get_window_extent(), axes.xaxis.label.get_window_extent()
        assert legend.y1 <= label.y0 + 2
        assert all(legend.y1 < corner.y0 for corner in corners)
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_a_budget_of_accuracy_is_named_by_its_setting(
    progress: StudyProgress, found: dict[str, Any]
) -> None:
    strict = found | {"max_drop": 1.0}
    assert Panels.of(progress, strict).names(strict).band == "within max_drop (1 point)"


def test_a_summary_of_an_earlier_version_is_drawn_with_means(
    progress: StudyProgress, found: dict[str, Any], tmp_path: Path
) -> None:
    old = of_earlier_version(found)
    panels = Panels.of(progress, old)
    chart = drop_chart(panels, old)
    assert all(mark.whisker is None for mark in chart.marks)
    assert MarkKind.BOUND not in {mark.kind for mark in chart.marks}
    assert {kind: name for kind, name, _ in chart.kinds}[MarkKind.CONFIRMED] == (
        "estimated drop, mean of seeds"
    )
    save_front_png(progress, old, tmp_path / "front.png")
    assert (tmp_path / "front.png").stat().st_size > 5000


def test_without_confirmed_points_the_search_is_drawn_alone(progress: StudyProgress) -> None:
    figure = front_figure(progress, summary(progress))
    (axes,) = figure.axes
    assert axes.get_ylabel() == "validation accuracy (%)"
