"""Pareto fronts, their hypervolume, and points spread over them."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.searching.space.pareto_front import Frame, pareto_front, spread


@dataclass(frozen=True)
class Measured:
    val_accuracy: float
    num_bytes: int


points = st.lists(
    st.builds(Measured, st.integers(0, 20).map(lambda k: k / 20), st.integers(10, 5000)),
    max_size=30,
)
FRAME = Frame(smallest_bytes=10, full_bytes=1000, majority_accuracy=0.2, full_accuracy=0.8)


@given(points)
def test_a_front_holds_exactly_the_points_that_none_beats(measured: list[Measured]) -> None:
    front = pareto_front(measured)

    def beaten(p: Measured) -> bool:
        return any(
            q.num_bytes <= p.num_bytes and q.val_accuracy >= p.val_accuracy and q != p
            for q in measured
        )

    assert set(front) == {p for p in measured if not beaten(p)}
    assert [p.num_bytes for p in front] == sorted(p.num_bytes for p in front)
    assert len(set(front)) == len(front)


def test_hypervolume_by_hand() -> None:
    # On a log scale 100 bytes lie half way between 10 and 1000; 0.5 is half of 0.2 to 0.8.
    assert FRAME.hypervolume([Measured(0.5, 100)]) == pytest.approx(0.25)
    assert FRAME.hypervolume([Measured(0.5, 100), Measured(0.8, 1000)]) == pytest.approx(0.25)
    assert FRAME.hypervolume([Measured(0.5, 10), Measured(0.8, 100)]) == pytest.approx(0.75)


def test_hypervolume_ends() -> None:
    assert FRAME.hypervolume([]) == 0
    assert FRAME.hypervolume([Measured(0.8, 10)]) == pytest.approx(1)
    assert FRAME.hypervolume([Measured(0.95, 5)]) == pytest.approx(1)
    assert FRAME.hypervolume([Measured(0.1, 10), Measured(0.9, 2000)]) == 0


@given(points, points)
def test_more_points_never_dominate_less(some: list[Measured], more: list[Measured]) -> None:
    before, after = FRAME.hypervolume(some), FRAME.hypervolume(some + more)
    assert 0 <= before <= after + 1e-12 <= 1 + 2e-12
    assert after == pytest.approx(FRAME.hypervolume(pareto_front(some + more)))


@given(points, st.integers(1, 8))
def test_spread_takes_distinct_points_and_keeps_the_ends(
    measured: list[Measured], count: int
) -> None:
    front = pareto_front(measured)
    chosen = spread(front, count)
    assert len(chosen) == min(count, len(front)) == len(set(chosen))
    assert set(chosen) <= set(front)
    if count > 1 and front:
        assert {front[0], front[-1]} <= set(chosen) or len(front) == 1
