"""Budgets: what breaks them, and where a search's gains count."""

import pytest

from sgq_auto.errors import InputError
from sgq_auto.objective import Objective
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


@pytest.mark.parametrize(
    "values",
    [
        {"max_kib": 0},
        {"max_kib": -1.0},
        {"max_drop": -0.1},
        {"max_flash_kib": 0},
        {"max_ram_kib": -2.0},
    ],
)
def test_bounds_without_sense_are_refused(values: dict[str, float]) -> None:
    (name,) = values
    with pytest.raises(InputError, match=f"{name}="):
        Budget(**values)


def test_bounds_of_a_device_are_known_by_the_figures_that_they_bound() -> None:
    both = Budget(max_flash_kib=256, max_ram_kib=64)
    assert both.of_device == {
        "max_flash_kib": (Objective.FLASH_BYTES, 256),
        "max_ram_kib": (Objective.RAM_BYTES, 64),
    }
    assert both.limits_size
    assert not Budget(max_drop=1).limits_size
    assert Budget(max_drop=1).is_given
    assert not Budget().is_given


def test_a_study_without_a_device_is_defined_as_before_there_were_devices() -> None:
    assert Budget(max_kib=3).key == {"max_kib": 3, "max_drop": None}
    assert Budget(max_ram_kib=64).key == {"max_kib": None, "max_drop": None, "max_ram_kib": 64}
