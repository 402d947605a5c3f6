"""Ranges of codes: the paper's, and the one of least error."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sgq_auto.quantize.quantizers.ranges import (
    least_error_range,
    minmax_range,
    range_finder,
    step_size,
)
from sgq_auto.settings.root_settings import RangeMode


def _levels(bits: int, groups: int = 1) -> Tensor:
    return torch.full((groups,), float(2**bits - 1))


def _error(x: Tensor, low: Tensor, high: Tensor, levels: Tensor) -> Tensor:
    step = step_size(low, high, levels)[:, None]
    codes = ((x - low[:, None]) / step).round().clamp(min=0).minimum(levels[:, None])
    return (codes * step + low[:, None] - x).square().sum(1)


def test_minmax_takes_the_ends_of_each_row() -> None:
    low, high = minmax_range(torch.tensor([[3.0, -1.0, 2.0], [0.0, 0.0, 0.0]]), _levels(2, 2))
    assert (low.tolist(), high.tolist()) == ([-1.0, 0.0], [3.0, 0.0])


def test_step_divides_the_range_and_is_one_on_a_point() -> None:
    low, high = torch.tensor([-1.0, 5.0]), torch.tensor([2.0, 5.0])
    assert step_size(low, high, _levels(2, 2)).tolist() == [1.0, 1.0]
    assert step_size(low[:1], high[:1], _levels(1)).tolist() == [3.0]


@given(st.integers(1, 8), st.integers(0, 200), st.sampled_from([-4.0, 0.0, 4.0]))
def test_least_error_is_no_worse_than_minmax(bits: int, seed: int, centre: float) -> None:
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(seed)) ** 3 + centre
    levels = _levels(bits, 3)
    best = _error(x, *least_error_range(x, levels), levels)
    assert bool((best <= _error(x, *minmax_range(x, levels), levels) * (1 + 1e-4)).all())


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_least_error_gives_up_outliers(sign: float) -> None:
    x = torch.cat([torch.linspace(0, 1, 500), torch.tensor([6.0])])[None] * sign
    low, high = least_error_range(x, _levels(2))
    assert float(high - low) < 4
    # It shrinks towards zero.
    assert float((low if sign > 0 else high)[0]) == 0


def test_least_error_keeps_points_exact() -> None:
    x = torch.tensor([[2.5, 2.5], [-1.0, 4.0]])
    low, high = least_error_range(x, _levels(3, 2))
    assert (float(low[0]), float(high[0])) == (2.5, 2.5)
    only = least_error_range(x[:1], _levels(3))
    assert [float(end) for end in only] == [2.5, 2.5]


def test_large_groups_are_sampled_and_still_good() -> None:
    x = torch.randn(1, 200_000, generator=torch.Generator().manual_seed(0))
    levels = _levels(2)
    best = _error(x, *least_error_range(x, levels), levels)
    assert float(best) < 0.5 * float(_error(x, *minmax_range(x, levels), levels))


def test_each_mode_has_its_finder() -> None:
    assert range_finder(RangeMode.MINMAX) is minmax_range
    assert range_finder(RangeMode.LEARNED) is least_error_range
