"""Axes of charts, and intervals."""

import pytest

from sgq_auto.reporting.intervals import half_width_95
from sgq_auto.reporting.pages import Axis, Slots, steps


def test_places_are_percent_and_end_at_the_edges() -> None:
    assert Axis("x", 10, 20).place(12.5) == 25
    assert Axis("x", 1, 100, is_log=True).place(10) == 50
    assert Axis("x", 10, 20).place(5) == 0
    assert Axis("x", 10, 20).place(50) == 100


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize(
    ("low", "high"), [(1, 1.05), (83, 194), (0.3, 2), (76.1, 84.2), (3, 4e4), (0.001, 0.0012)]
)
def test_ticks_are_few_round_and_inside(low: float, high: float, is_log: bool) -> None:
    ticks = Axis("x", low, high, is_log).ticks
    assert 2 <= len(ticks) <= 6
    assert len({tick.text for tick in ticks}) == len(ticks)
    assert all(0 <= tick.place <= 100 and len(tick.text) <= 7 for tick in ticks)
    assert all(low <= float(tick.text.replace(",", "")) <= high for tick in ticks)


def test_equal_values_still_make_an_axis() -> None:
    for is_log in (False, True):
        axis = Axis.around("x", [5.0, 5.0], is_log=is_log)
        assert axis.place(5.0) == pytest.approx(50, abs=0.5)


def test_a_place_stands_for_its_value() -> None:
    for axis in (Axis("x", 10, 20), Axis("x", 1, 100, is_log=True)):
        assert axis.value(axis.place(12.5)) == pytest.approx(12.5, rel=1e-3)


def test_slots_are_equally_wide() -> None:
    slots = Slots("sizes", ("1.0", "1.0", "9.0", "80.0"))
    assert [(tick.place, tick.text) for tick in slots.ticks] == [
        (12.5, "1.0"),
        (37.5, "1.0"),
        (62.5, "9.0"),
        (87.5, "80.0"),
    ]
    assert Slots("sizes", ()).ticks == ()


def test_a_front_is_a_staircase_to_the_right_edge() -> None:
    x, y = Axis("x", 0, 10), Axis("y", 0, 1)
    assert steps(x, y, [(1, 0.5), (5, 0.75)]) == ((10, 50), (50, 50), (50, 25), (100, 25))
    assert steps(x, y, []) == ()


def test_intervals_are_students() -> None:
    # Student's t for 9 degrees of freedom is 2.2622.
    assert half_width_95(1.0, 10) == pytest.approx(2.2622 / 10**0.5, rel=1e-4)
    assert half_width_95(1.0, 1) is None
