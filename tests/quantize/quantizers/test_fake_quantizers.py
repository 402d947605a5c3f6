"""Fake-quantizers: how many values codes can say, exact points, and gradients."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sgq_auto.quantize import (
    ConstantQuantizer,
    FakeQuantizer,
    LearnedQuantizer,
    MinMaxQuantizer,
    RangeMode,
    freeze_ranges,
)

_MODES = st.sampled_from(RangeMode)
_BITS = st.integers(1, 8)


def _quantizer(mode: RangeMode, bits: list[int], sizes: list[int]) -> FakeQuantizer:
    kind = MinMaxQuantizer if mode is RangeMode.MINMAX else LearnedQuantizer
    return kind(bits, sizes)


@dataclass(frozen=True)
class Case:
    """Scale groups, some of them empty, and a tensor cut into them."""

    bits: list[int]
    sizes: list[int]
    x: Tensor


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sizes = draw(st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any))
    bits = [draw(_BITS) for _ in sizes]
    width = draw(st.sampled_from([None, 1, 5]))
    seed, scale = draw(st.integers(0, 999)), 10.0 ** draw(st.integers(-6, 6))
    generator = torch.Generator().manual_seed(seed)
    shape = (sum(sizes),) if width is None else (sum(sizes), width)
    x = torch.randn(shape, generator=generator) * scale + draw(st.sampled_from([0.0, 1.0, -30.0]))
    return Case(bits, sizes, x.relu() if draw(st.booleans()) else x)


@given(cases(), _MODES, st.floats(-1, 1), st.floats(-3, 3))
@settings(max_examples=300)
def test_b_bits_say_at_most_2_to_the_b_values(
    case: Case, mode: RangeMode, log_step: float, shift: float
) -> None:
    quantizer = _quantizer(mode, case.bits, case.sizes)
    outputs = [quantizer(case.x)]
    if isinstance(quantizer, LearnedQuantizer):
        nn.init.constant_(quantizer.log_step, log_step)
        nn.init.constant_(quantizer.shift, shift)
        outputs.append(quantizer(case.x))
    for out in outputs:
        assert out.shape == case.x.shape
        assert bool(out.isfinite().all())
        for bits, part in zip(case.bits, out.split(case.sizes), strict=True):
            assert part.unique().numel() <= 2**bits


@given(cases())
def test_minmax_is_off_by_half_a_step_at_most(case: Case) -> None:
    out = MinMaxQuantizer(case.bits, case.sizes)(case.x)
    parts = zip(case.bits, case.x.split(case.sizes), out.split(case.sizes), strict=True)
    for bits, part, quantized in parts:
        if part.numel():
            step = (part.max() - part.min()) / (2**bits - 1)
            slack = 1e-5 * part.abs().max()
            assert float((part - quantized).abs().max()) <= float(step / 2 + slack)


@given(cases())
def test_minmax_keeps_both_ends(case: Case) -> None:
    out = MinMaxQuantizer(case.bits, case.sizes)(case.x)
    for part, quantized in zip(case.x.split(case.sizes), out.split(case.sizes), strict=True):
        if part.numel():
            torch.testing.assert_close(quantized.min(), part.min(), rtol=1e-5, atol=0)
            torch.testing.assert_close(quantized.max(), part.max(), rtol=1e-5, atol=1e-6)


@given(
    st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False),
    _BITS,
    _MODES,
    st.sampled_from([1, 7]),
)
def test_constant_tensors_are_exact(value: float, bits: int, mode: RangeMode, rows: int) -> None:
    x = torch.full((rows, 3), value)
    assert torch.equal(_quantizer(mode, [bits], [rows])(x), x)
    assert torch.equal(ConstantQuantizer([bits], [rows], mode)(x), x)


@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("bits", range(1, 9))
def test_zero_ranges_beside_others_are_exact(mode: RangeMode, bits: int) -> None:
    x = torch.tensor([[0.0], [0.0], [-7.5], [-7.5], [1.0], [2.0]])
    quantizer = _quantizer(mode, [bits] * 4, [2, 2, 0, 2])
    out = quantizer(x)
    assert torch.equal(out[:4], x[:4])
    assert bool(out.isfinite().all())


@pytest.mark.parametrize("mode", RangeMode)
def test_binary_tensors_are_exact_at_one_bit(mode: RangeMode) -> None:
    x = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    torch.testing.assert_close(_quantizer(mode, [1], [5])(x), x)


@pytest.mark.parametrize("mode", RangeMode)
def test_empty_tensors_pass(mode: RangeMode) -> None:
    assert _quantizer(mode, [3, 3], [0, 0])(torch.empty(0, 4)).shape == (0, 4)


@pytest.mark.parametrize("mode", RangeMode)
def test_as_many_groups_as_rows_still_means_groups(mode: RangeMode) -> None:
    # Four nodes, all of them in the first of four buckets.
    x = torch.tensor([[10.1], [20.2], [30.3], [40.4]])
    out = _quantizer(mode, [8] * 4, [4, 0, 0, 0])(x)
    torch.testing.assert_close(out, x, atol=0.1, rtol=0)


def test_gradients_of_ranges_go_to_their_group_with_as_many_groups_as_rows() -> None:
    quantizer = LearnedQuantizer([2, 2], [2, 0])
    x = torch.tensor([[0.0], [1.3]])
    quantizer(x)
    quantizer(x * 50).sum().backward()
    assert quantizer.shift.grad is not None
    assert float(quantizer.shift.grad[0]) != 0
    assert float(quantizer.shift.grad[1]) == 0


@pytest.mark.parametrize("mode", RangeMode)
def test_groups_of_one_value_each(mode: RangeMode) -> None:
    x = torch.tensor([0.3, 0.7])
    torch.testing.assert_close(_quantizer(mode, [4, 4], [1, 1])(x), x)


@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("x", [[0.0, 1e-44], [0.0, 3e-39, 1e-38]])
def test_ranges_too_small_for_a_step_are_never_nan(mode: RangeMode, x: list[float]) -> None:
    tensor = torch.tensor(x)
    for bits in (1, 8):
        assert bool(_quantizer(mode, [bits], [len(x)])(tensor).isfinite().all())


def test_mixed_groups_leave_full_precision_ones_alone() -> None:
    x = torch.randn(6, 3, requires_grad=True)
    for mode in RangeMode:
        quantizer = _quantizer(mode, [32, 2], [4, 2])
        out = quantizer(x)
        assert torch.equal(out[:4], x[:4])
        assert out[4:].unique().numel() <= 4
        (gradient,) = torch.autograd.grad(out[:4].sum(), x)
        assert torch.equal(gradient[:4], torch.ones(4, 3))


def test_weights_have_a_group_an_output_channel() -> None:
    weight = torch.randn(5, 40) * torch.tensor([[0.01], [0.1], [1.0], [10.0], [100.0]])
    for mode in RangeMode:
        out = _quantizer(mode, [3] * 5, [1] * 5)(weight)
        assert [row.unique().numel() <= 8 for row in out] == [True] * 5
        error = (out.detach() - weight).square().mean(1) / weight.square().mean(1)
        assert float(error.max()) < 0.1


def test_gradients_pass_straight_through_inside_the_range() -> None:
    x = torch.tensor([0.0, 0.4, 1.7, 3.0], requires_grad=True)
    quantizer = MinMaxQuantizer([2], [4])
    quantizer(x).backward(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_learned_ranges_have_the_gradients_of_lsq_plus(scale: float) -> None:
    """Step: rounding error inside, the code outside; offset: 1 outside (Bhalgat et al. 2020)."""
    quantizer = LearnedQuantizer([2], [4])
    quantizer.calibrated = True
    quantizer.step.fill_(scale)
    x = (scale * torch.tensor([-0.5, 0.4, 1.7, 5.0])).requires_grad_()
    out = quantizer(x)
    torch.testing.assert_close(out, scale * torch.tensor([0.0, 0.0, 2.0, 3.0]))
    out.backward(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert x.grad is not None
    assert quantizer.log_step.grad is not None
    assert quantizer.shift.grad is not None
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 0.0]
    # Both parameters are relative to the first step, hence the factor.
    step_gradient = 0.0 * 1 + (0 - 0.4) * 2 + (2 - 1.7) * 3 + 3.0 * 4
    torch.testing.assert_close(quantizer.log_step.grad, torch.tensor([scale * step_gradient]))
    torch.testing.assert_close(quantizer.shift.grad, torch.tensor([scale * (1.0 + 4.0)]))


def test_gradients_of_ranges_stay_in_their_group() -> None:
    quantizer = LearnedQuantizer([2, 2, 2], [2, 0, 2])
    quantizer.calibrated = True
    x = torch.tensor([[0.4, -1.0], [9.0, 2.0], [0.3, 0.0], [1.0, 1.0]])
    quantizer(x).sum().backward()
    assert quantizer.log_step.grad is not None
    assert quantizer.shift.grad is not None
    # Group 0: -0.4 and code 3 of the clipped 9; group 2: -0.3.
    torch.testing.assert_close(quantizer.log_step.grad, torch.tensor([2.6, 0.0, -0.3]))
    torch.testing.assert_close(quantizer.shift.grad, torch.tensor([2.0, 0.0, 0.0]))


def test_learned_ranges_are_calibrated_once() -> None:
    quantizer = LearnedQuantizer([4], [3])
    quantizer(torch.tensor([0.0, 1.0, 2.0]))
    step = quantizer.step.clone()
    out = quantizer(torch.tensor([0.0, 10.0, 20.0]))
    assert torch.equal(quantizer.step, step)
    assert float(out.detach().max()) <= 2.001


def test_minmax_ranges_follow_the_tensor_until_frozen() -> None:
    model = nn.Sequential(MinMaxQuantizer([8], [2]))
    model(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(model(torch.tensor([0.0, 5.0])), torch.tensor([0.0, 5.0]))
    freeze_ranges(model)
    torch.testing.assert_close(model(torch.tensor([0.0, 9.0])), torch.tensor([0.0, 5.0]))


def test_constants_are_quantized_by_their_own_range() -> None:
    quantizer = ConstantQuantizer([2], [4], RangeMode.MINMAX)
    assert quantizer(torch.tensor([0.0, 0.4, 2.6, 3.0])).tolist() == [0.0, 0.0, 3.0, 3.0]
    assert quantizer(torch.zeros(4)).tolist() == [0.0] * 4


@given(cases(), _MODES, st.integers(1, 5))
def test_a_tensor_in_parts_is_quantized_as_a_whole(case: Case, mode: RangeMode, rows: int) -> None:
    whole, in_parts = (_quantizer(mode, case.bits, case.sizes) for _ in range(2))
    expected = whole(case.x)
    parts = [(start, case.x[start : start + rows]) for start in range(0, len(case.x), rows)]
    in_parts.observe_parts(parts)
    joined = torch.cat([in_parts(part, start) for start, part in parts])
    torch.testing.assert_close(joined, expected)


def test_ranges_of_large_tensors_hold_both_ends() -> None:
    x = torch.zeros(200_000)
    x[77_777], x[123_456] = -3.0, 5.0
    out = MinMaxQuantizer([8], [x.numel()])(x)
    torch.testing.assert_close(out[[77_777, 123_456]], torch.tensor([-3.0, 5.0]))
