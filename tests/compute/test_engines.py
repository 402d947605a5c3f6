"""Rounding and dropout: every engine does the same, and does it as torch would."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sgq_auto.compute import Engine, NumbaEngine, TorchEngine, engine_for
from sgq_auto.compute.kernels import layout, sparse
from sgq_auto.graphs import CsrPattern

_ENGINES = [NumbaEngine(), TorchEngine()]


@pytest.fixture(params=_ENGINES, ids=lambda engine: type(engine).__name__)
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param
    return made


def test_cpu_tensors_get_compiled_kernels_and_others_torch() -> None:
    assert isinstance(engine_for("cpu"), NumbaEngine)
    assert isinstance(engine_for("cuda"), TorchEngine)


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.sampled_from([(), (1,), (3,), (2, 3), (600,)]),
    st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_engines_round_alike(sizes: list[int], shape: tuple[int, ...], seed: int) -> None:
    torch.manual_seed(seed)
    rows, groups = sum(sizes), len(sizes)
    x, grad = torch.randn(rows, *shape), torch.randn(rows, *shape)
    ends = torch.tensor(sizes).cumsum(0)
    ranges = torch.rand(groups) + 0.05, torch.randn(groups), torch.randint(1, 64, (groups,)).float()
    compiled, general = (e.round_to_codes(x, ends, *ranges) for e in _ENGINES)
    torch.testing.assert_close(compiled, general, rtol=1e-6, atol=1e-6)
    gradients = [e.round_to_codes_backward(x, ends, *ranges, grad) for e in _ENGINES]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_rounding_keeps_nan(engine: Engine) -> None:
    x = torch.tensor([0.0, torch.nan, 1.0])
    one = torch.ones(1)
    out = engine.round_to_codes(x, torch.tensor([3]), one, one * 0, one)
    assert out[[0, 2]].tolist() == [0.0, 1.0]
    assert bool(out[1].isnan())


def test_halves_round_to_even(engine: Engine) -> None:
    x = torch.arange(9) / 2
    one = torch.ones(1)
    out = engine.round_to_codes(x, torch.tensor([9]), one, one * 0, one * 3)
    assert out.tolist() == [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6, 0.999])
def test_dropout_keeps_the_expected_share_and_scales_it(engine: Engine, p: float) -> None:
    x = torch.full((1000, 300), 2.0)
    out = engine.dropout(x, p, seed=7)
    kept = out != 0
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 2 / (1 - p)))
    error = float(kept.double().mean()) - (1 - p)
    assert abs(error) < 5 * (p * (1 - p) / x.numel()) ** 0.5


def test_equal_seeds_drop_equal_places(engine: Engine) -> None:
    x = torch.randn(50, 40)
    first = engine.dropout(x, 0.5, seed=2**62 + 3)
    assert torch.equal(first != 0, engine.dropout(-x, 0.5, seed=2**62 + 3) != 0)
    assert not torch.equal(first != 0, engine.dropout(x, 0.5, seed=2**62 + 4) != 0)
    assert bool((engine.dropout(x, 1.0, seed=1) == 0).all())


def test_dropped_places_are_independent(engine: Engine) -> None:
    """Of places (for seeds one after the other) and of seeds (for places side by side)."""
    ones = torch.ones(64)
    draws = torch.stack([engine.dropout(ones, 0.5, seed) for seed in range(20_000)])
    correlation = torch.corrcoef(draws.t()).fill_diagonal_(0)
    assert float(correlation.abs().max()) * 20_000**0.5 < 5.5
    long = torch.ones(200_000)
    for shift in (1, 2, 2**32, 2**40):
        pair = torch.stack([engine.dropout(long, 0.5, seed) for seed in (5, 5 + shift)])
        assert abs(float(torch.corrcoef(pair)[0, 1])) * 200_000**0.5 < 5


def _csr(rows: int, columns: int, seed: int) -> tuple[Tensor, np.ndarray, np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(rows, columns, generator=generator)
    dense = dense * (torch.rand(rows, columns, generator=generator) < 0.3)
    csr = dense.to_sparse_csr()
    index = (t.numpy().astype(np.int32) for t in (csr.crow_indices(), csr.col_indices()))
    return dense, *index, csr.values().numpy()


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 45), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_column_blocks_are_the_same_matrix(rows: int, columns: int, width: int, seed: int) -> None:
    dense, rowptr, col, values = _csr(rows, columns, seed)
    starts, block_col, block_values = layout.block_columns(rowptr, col, values, columns, width)
    assert starts.shape == (-(-columns // width), rows + 1)
    x = torch.randn(columns, 1, 3)
    out = torch.zeros(rows, 1, 3)
    sparse.spmm(starts, block_col, block_values[:, None], x.numpy(), out.numpy(), width)
    torch.testing.assert_close(out[:, 0], dense @ x[:, 0])
    y = torch.randn(rows, 1, 3)
    transposed = torch.zeros(columns, 1, 3)
    sparse.spmm_transposed(
        starts, block_col, block_values[:, None], y.numpy(), transposed.numpy(), width
    )
    torch.testing.assert_close(transposed[:, 0], dense.t() @ y[:, 0])


def test_a_matrix_beyond_a_near_cache_is_cut_into_blocks() -> None:
    rows, columns, degree = 50, 40_000, 400
    rng = np.random.default_rng(0)
    col = np.sort(rng.integers(columns, size=(rows, degree)), axis=1).ravel()
    pattern = CsrPattern.from_arrays(np.arange(rows + 1) * degree, col, (rows, columns))
    values, x = torch.rand(rows * degree), torch.rand(columns, 16)
    matrix = NumbaEngine().fixed_matrix(pattern, values)
    assert matrix.rowptr.shape[0] > 1
    expected = TorchEngine().fixed_matrix(pattern, values)
    torch.testing.assert_close(matrix.multiply(x), expected.multiply(x))
    y = torch.rand(rows, 16)
    torch.testing.assert_close(matrix.multiply_transposed(y), expected.multiply_transposed(y))


def test_operands_beyond_a_near_cache_are_prefetched_alike() -> None:
    dense, rowptr, col, values = _csr(30, 20_000, 1)
    x = torch.rand(20_000, 1, 16)
    out = torch.zeros(30, 1, 16)
    sparse.spmm(rowptr[None], col, values[:, None], x.numpy(), out.numpy())
    torch.testing.assert_close(out[:, 0], dense @ x[:, 0], rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("width", [1, 3, 16])
def test_the_largest_entry_of_each_row(engine: Engine, width: int) -> None:
    torch.manual_seed(width)
    dense_pattern = torch.rand(30, 20) < 0.2
    dense_pattern[4] = False
    rowptr = torch.cat([torch.zeros(1, dtype=torch.long), dense_pattern.sum(1).cumsum(0)])
    pattern = CsrPattern(rowptr.int(), dense_pattern.nonzero()[:, 1].int(), (30, 20), engine)
    # None is 0, which torch counts as one more of the largest where it is the start.
    x = (torch.randint(-3, 4, (20, width)) + 0.5).requires_grad_()
    out, grad = pattern.row_max(x), torch.randn(30, width)
    row, col = dense_pattern.nonzero().t()
    expected = torch.zeros(30, width).scatter_reduce(
        0, row[:, None].expand(-1, width), x[col], "amax", include_self=False
    )
    torch.testing.assert_close(out, expected)
    ours, theirs = (torch.autograd.grad(y, x, grad)[0] for y in (out, expected))
    torch.testing.assert_close(ours, theirs)
