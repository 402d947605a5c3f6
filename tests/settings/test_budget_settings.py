"""Budgets: what breaks them, and where a search's gains count."""

import pytest

from sgq_auto.errors import InputError
from sgq_auto.searching import Budget
from sgq_auto.searching.space.pareto_front import Frame

FRAME = Frame(1024, 1024 * 1024, 0.2, 0.8)


def test_violations_are_excesses() -> None:
    budget = Budget(max_kib=10, max_drop=0.5)
    assert budget.violations(12 * 1024, 0.3) == {"max_kib": 2, "max_drop": pytest.approx(-0.2)}
    assert not budget.keeps(12 * 1024, 0.3)
    assert budget.keeps(10 * 1024, 0.5)
    assert Budget().violations(1, 2) == {}
    assert Budget().keeps(10**12, 100)


def test_gains_count_inside_the_budget_alone() -> None:
    inside = FRAME.within(Budget(max_kib=10, max_drop=2))
    assert inside == Frame(1024, 10 * 1024, pytest.approx(0.78), 0.8)  # type: ignore[arg-type]
    assert FRAME.within(Budget()) == FRAME


@pytest.mark.parametrize("values", [{"max_kib": 0}, {"max_kib": -1.0}, {"max_drop": -0.1}])
def test_bounds_without_sense_are_refused(values: dict[str, float]) -> None:
    (name,) = values
    with pytest.raises(InputError, match=f"{name}="):
        Budget(**values)
