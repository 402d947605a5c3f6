"""Sparse products against dense ones, values and gradients."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from sgq_auto.compute import Engine, NumbaEngine, TorchEngine
from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr_products import multiply_fixed

_SHAPE = (7, 5)


@pytest.fixture(params=["random", "empty_rows", "full", "one_entry"])
def mask(request: pytest.FixtureRequest) -> Tensor:
    """Where the entries of a 7 by 5 matrix are."""
    if request.param == "full":
        return torch.ones(_SHAPE, dtype=torch.bool)
    generator = torch.Generator().manual_seed(4)
    dense = torch.rand(_SHAPE, generator=generator) < 0.4
    if request.param == "empty_rows":
        dense[[0, 3, 6]] = False
        dense[:, 2] = False
    if request.param == "one_entry":
        dense[:] = False
        dense[4, 1] = True
    return dense


@pytest.fixture(params=[NumbaEngine, TorchEngine])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine, through the same contract."""
    made: Engine = request.param()
    return made


@pytest.fixture
def pattern(mask: Tensor, engine: Engine) -> CsrPattern:
    rowptr = np.concatenate(([0], np.cumsum(mask.sum(1).numpy())))
    pattern = CsrPattern.from_arrays(rowptr, mask.nonzero()[:, 1].numpy(), _SHAPE)
    return replace(pattern, engine=engine)


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, requires_grad=True)


def _values(pattern: CsrPattern, heads: int) -> Tensor:
    return _random(pattern.num_entries, heads)


def _nodes(count: int, heads: int, channels: int = 3) -> Tensor:
    return _random(count, heads, channels)


def _scatter(mask: Tensor, values: Tensor) -> Tensor:
    dense = torch.zeros(*mask.shape, *values.shape[1:], dtype=values.dtype)
    return dense.masked_scatter(mask.view(*mask.shape, *[1] * (values.dim() - 1)), values)


def _agree(
    fast: Callable[..., Tensor], dense: Callable[..., Tensor], inputs: tuple[Tensor, ...]
) -> None:
    """Check values and the gradients of a random projection."""
    out, expected = fast(*inputs), dense(*inputs)
    torch.testing.assert_close(out, expected)
    direction = torch.randn_like(out)
    gradients = torch.autograd.grad(out, inputs, direction)
    expected_gradients = torch.autograd.grad(expected, inputs, direction)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient)


def test_pattern_and_its_transpose(mask: Tensor, pattern: CsrPattern) -> None:
    rows, columns = mask.nonzero().unbind(1)
    assert pattern.num_entries == int(mask.sum())
    torch.testing.assert_close(pattern.row.long(), rows)
    torch.testing.assert_close(pattern.col.long(), columns)
    t_columns, t_rows = mask.t().nonzero().unbind(1)
    torch.testing.assert_close(pattern.row[pattern.transposed_order].long(), t_rows)
    torch.testing.assert_close(pattern.col[pattern.transposed_order].long(), t_columns)
    torch.testing.assert_close(pattern.transposed_rowptr.diff().long(), mask.sum(0))


@pytest.mark.sampled
# Channels and heads below, at and beyond what one tile of registers holds.
@pytest.mark.parametrize(("heads", "channels"), [(1, 1), (3, 7), (8, 8), (9, 16), (2, 70)])
def test_spmm(mask: Tensor, pattern: CsrPattern, heads: int, channels: int) -> None:
    _agree(
        pattern.spmm,
        lambda values, dense: torch.einsum("rch,chf->rhf", _scatter(mask, values), dense),
        (_values(pattern, heads), _nodes(_SHAPE[1], heads, channels)),
    )


def test_spmm_without_heads(mask: Tensor, pattern: CsrPattern) -> None:
    _agree(
        pattern.spmm,
        lambda values, dense: _scatter(mask, values) @ dense,
        (_random(pattern.num_entries), _random(_SHAPE[1], 4)),
    )


@pytest.mark.sampled
@pytest.mark.parametrize("channels", [1, 7, 16])
def test_fixed_matrix(mask: Tensor, pattern: CsrPattern, channels: int) -> None:
    values = torch.randn(pattern.num_entries)
    matrix = pattern.fixed_matrix(values)
    _agree(
        lambda dense: multiply_fixed(matrix, dense),
        lambda dense: _scatter(mask, values) @ dense,
        (_random(_SHAPE[1], channels),),
    )


@pytest.mark.sampled
@pytest.mark.parametrize(("heads", "channels"), [(1, 16), (3, 7), (8, 8), (2, 70)])
def test_sddmm(mask: Tensor, pattern: CsrPattern, heads: int, channels: int) -> None:
    _agree(
        pattern.sddmm,
        lambda left, right: torch.einsum("rhf,chf->rch", left, right)[mask],
        (_nodes(_SHAPE[0], heads, channels), _nodes(_SHAPE[1], heads, channels)),
    )


@pytest.mark.parametrize("heads", [1, 3])
def test_pair_scores(mask: Tensor, pattern: CsrPattern, heads: int) -> None:
    def dense(targets: Tensor, sources: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(targets[:, None] + sources[None], 0.2)[mask]

    inputs = _random(_SHAPE[0], heads), _random(_SHAPE[1], heads)
    _agree(lambda t, s: pattern.pair_scores(t, s, 0.2), dense, inputs)


@pytest.mark.sampled
@pytest.mark.parametrize("heads", [1, 3])
def test_row_softmax(mask: Tensor, pattern: CsrPattern, heads: int) -> None:
    def dense(scores: Tensor) -> Tensor:
        # Rows without an entry are left out: their softmax is 0 / 0.
        rows = mask.any(1)
        hole = torch.full((*mask.shape, heads), -torch.inf)
        return hole.masked_scatter(mask.unsqueeze(-1), scores)[rows].softmax(1)[mask[rows]]

    _agree(pattern.row_softmax, dense, (_values(pattern, heads),))


def test_softmax_of_large_scores_stays_finite(mask: Tensor, pattern: CsrPattern) -> None:
    scores = torch.linspace(-1e4, 1e4, pattern.num_entries)
    softmax = pattern.row_softmax(scores.unsqueeze(1)).squeeze(1)
    assert bool(softmax.isfinite().all())
    torch.testing.assert_close(pattern.row_sum(softmax), mask.any(1).float())


def test_operands_need_not_be_contiguous(mask: Tensor, pattern: CsrPattern) -> None:
    values = _random(2, pattern.num_entries).t()
    dense = _random(_SHAPE[1], 3, 2).transpose(1, 2)
    expected = torch.einsum("rch,chf->rhf", _scatter(mask, values), dense)
    torch.testing.assert_close(pattern.spmm(values, dense), expected)
    torch.testing.assert_close(
        pattern.row_softmax(values), pattern.row_softmax(values.contiguous())
    )


def test_general_engine_passes_gradcheck_in_double_precision(mask: Tensor) -> None:
    rowptr = np.concatenate(([0], np.cumsum(mask.sum(1).numpy())))
    pattern = CsrPattern.from_arrays(rowptr, mask.nonzero()[:, 1].numpy(), _SHAPE)
    pattern = replace(pattern, engine=TorchEngine())
    values, columns = _values(pattern, 2).double(), _nodes(_SHAPE[1], 2).double()
    rows, targets, sources = (_random(*s).double() for s in ((7, 2, 3), (7, 2), (5, 2)))
    assert torch.autograd.gradcheck(pattern.spmm, (values, columns))
    assert torch.autograd.gradcheck(pattern.sddmm, (rows, columns))
    assert torch.autograd.gradcheck(pattern.row_softmax, (values,))
    assert torch.autograd.gradcheck(lambda t, s: pattern.pair_scores(t, s, 0.2), (targets, sources))


@pytest.mark.parametrize("max_entries", [1, 4, 1000])
def test_row_chunks_are_the_pattern(mask: Tensor, pattern: CsrPattern, max_entries: int) -> None:
    chunks = list(pattern.row_chunks(max_entries))
    dense, values = torch.randn(_SHAPE[1], 2), torch.randn(pattern.num_entries)
    rows, entries = 0, 0
    products = []
    for chunk in chunks:
        size = chunk.pattern.num_entries
        assert (chunk.rows.start, chunk.first_entry) == (rows, entries)
        assert size <= max_entries or chunk.pattern.shape[0] == 1
        products.append(chunk.pattern.spmm(values[entries : entries + size], dense))
        rows, entries = chunk.rows.stop, entries + size
    assert (rows, entries) == (_SHAPE[0], pattern.num_entries)
    torch.testing.assert_close(torch.cat(products), _scatter(mask, values) @ dense)


def test_compiled_kernels_refuse_double_precision(pattern: CsrPattern) -> None:
    if isinstance(pattern.engine, NumbaEngine):
        with pytest.raises(TypeError, match="fp32"):
            pattern.spmm(torch.rand(pattern.num_entries).double(), torch.rand(5, 3).double())
