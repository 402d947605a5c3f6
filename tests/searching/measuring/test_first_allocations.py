"""The additive front is the best there is, and seeds are spread over it."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.searching.measuring.first_allocations import additive_front, seeds
from sgq_auto.searching.measuring.sensitivity import (
    Sensitivities,
    cached_sensitivities,
    measure_sensitivities,
)
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.space.device_bounds import DeviceBounds
from sgq_auto.searching.space.size_table import SizeTable

LADDER = (1, 2, 4)


def problem(losses: list[list[float]], costs: list[int]) -> tuple[Sensitivities, SizeTable]:
    names = tuple(f"conv{k}.weight" for k in range(len(costs)))
    added = [[[8 * cost * step] for step in range(len(LADDER))] for cost in costs]
    table = SizeTable(np.array([8000]), np.array(added))
    return Sensitivities(names, LADDER, np.array(losses)), table


@given(st.lists(st.lists(st.floats(-0.1, 2), min_size=3, max_size=3), min_size=4, max_size=4),
       st.lists(st.integers(1, 50), min_size=4, max_size=4))  # fmt: skip
def test_no_allocation_beats_the_additive_front(
    losses: list[list[float]], costs: list[int]
) -> None:
    found, table = problem(losses, costs)
    front = additive_front(found, table)
    every = np.array(list(itertools.product(range(3), repeat=4)))
    every_loss, every_size = found.expected_loss(every), table(every)
    loss, size = found.expected_loss(front), table(front)
    assert (np.diff(size) > 0).all()
    assert (np.diff(loss) < 0).all()
    for one_loss, one_size in zip(every_loss, every_size, strict=True):
        assert loss[size <= one_size].min() <= one_loss + 1e-12


def test_seeds_spread_to_where_bits_buy_nothing_more_and_keep_the_budget() -> None:
    found, table = problem([[1.0, 0.2, 0.0], [0.5, 0.1, 0.0], [0.001, 0.0005, 0.0]], [400, 300, 9])
    chosen = seeds(found, table, 4)
    assert chosen[0].tolist() == [0, 0, 0]
    assert found.expected_loss(chosen[-1:])[0] <= 0.01
    assert (np.diff(table(chosen)) > 0).all()
    budget = int(table(chosen)[2])
    assert (table(seeds(found, table, 4, max_bytes=budget)) <= budget).all()
    assert len(seeds(found, table, 4, max_bytes=10)) == len(seeds(found, table, 0)) == 0


def test_seeds_use_up_what_a_device_has_of_what_is_scarce() -> None:
    losses = [[1.0, 0.2, 0.0], [0.5, 0.1, 0.0], [0.4, 0.3, 0.0]]
    found, table = problem(losses, [400, 300, 9])
    # Only the last group takes RAM; all but one of its positions break the bound.
    _, ram = problem(losses, [0, 0, 1024])
    bounds = DeviceBounds({"max_ram_kib": ram}, {"max_ram_kib": 1000 / 1024 + 1})
    assert bounds(np.array([[2, 2, 1], [2, 2, 2]])).tolist() == [True, False]
    chosen = seeds(found, table, 9, bounds=bounds)
    assert bounds(chosen).all()
    assert (np.diff(table(chosen)) > 0).all()
    assert chosen[-1].tolist() == [2, 2, 1]
    assert (
        len(seeds(found, table, 9, bounds=DeviceBounds({"max_ram_kib": ram}, {"max_ram_kib": 0.1})))
        == 0
    )


def test_sensitivities_are_measured_once_and_fewer_bits_lose_more(
    bench: Workbench, tmp_path: Path
) -> None:
    path = tmp_path / "sensitivities.json"
    found = cached_sensitivities(bench, path)
    assert found.groups == bench.space.searched
    assert np.array_equal(found.loss, measure_sensitivities(bench).loss)
    assert found.loss[:, 0].sum() > found.loss[:, -1].sum()
    assert (np.diff(found.monotone, axis=1) <= 0).all()
    assert (found.monotone >= 0).all()
    positions = np.array([[0] * len(found.groups)])
    assert found.losses(positions)[0, -1] == pytest.approx(found.expected_loss(positions)[0])
    path.write_text(path.read_text().replace(str(found.loss[0, 0]), "42.0"))
    assert cached_sensitivities(bench, path).loss[0, 0] == 42.0
    path.write_text("cut sho")
    assert np.array_equal(cached_sensitivities(bench, path).loss, found.loss)
