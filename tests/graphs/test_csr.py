"""Sparse products against dense ones, values and gradients."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sgq_auto.graphs import CsrPattern

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


@pytest.fixture
def pattern(mask: Tensor) -> CsrPattern:
    rowptr = np.concatenate(([0], np.cumsum(mask.sum(1).numpy())))
    return CsrPattern.from_arrays(rowptr, mask.nonzero()[:, 1].numpy(), _SHAPE)


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def _values(pattern: CsrPattern, heads: int) -> Tensor:
    return _random(pattern.num_entries, *([heads] if heads else []))


def _nodes(count: int, heads: int) -> Tensor:
    return _random(count, *([heads] if heads else []), 3)


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
    torch.testing.assert_close(pattern.t_col.long(), t_rows)
    torch.testing.assert_close(pattern.col[pattern.t_order].long(), t_columns)
    torch.testing.assert_close(pattern.t_rowptr.diff().long(), mask.sum(0))


@pytest.mark.parametrize("heads", [0, 1, 3])
def test_spmm(mask: Tensor, pattern: CsrPattern, heads: int) -> None:
    equation = "rch,chf->rhf" if heads else "rc,cf->rf"
    _agree(
        pattern.spmm,
        lambda values, dense: torch.einsum(equation, _scatter(mask, values), dense),
        (_values(pattern, heads), _nodes(_SHAPE[1], heads)),
    )


@pytest.mark.parametrize("heads", [0, 1, 3])
def test_sddmm(mask: Tensor, pattern: CsrPattern, heads: int) -> None:
    equation = "rhf,chf->rch" if heads else "rf,cf->rc"
    _agree(
        pattern.sddmm,
        lambda left, right: torch.einsum(equation, left, right)[mask],
        (_nodes(_SHAPE[0], heads), _nodes(_SHAPE[1], heads)),
    )


@pytest.mark.parametrize("heads", [1, 3])
def test_edge_sum(mask: Tensor, pattern: CsrPattern, heads: int) -> None:
    _agree(
        pattern.edge_sum,
        lambda left, right: (left[:, None] + right[None])[mask],
        (_random(_SHAPE[0], heads), _random(_SHAPE[1], heads)),
    )


@pytest.mark.parametrize("heads", [0, 1, 3])
def test_row_softmax(mask: Tensor, pattern: CsrPattern, heads: int) -> None:
    def dense(scores: Tensor) -> Tensor:
        # Rows without an entry are left out: their softmax is 0 / 0.
        rows = mask.any(1)
        hole = torch.full((*mask.shape, *scores.shape[1:]), -torch.inf, dtype=scores.dtype)
        shaped = mask.view(*mask.shape, *[1] * (scores.dim() - 1))
        return hole.masked_scatter(shaped, scores)[rows].softmax(1)[mask[rows]]

    _agree(pattern.row_softmax, dense, (_values(pattern, heads),))


def test_softmax_of_large_scores_stays_finite(mask: Tensor, pattern: CsrPattern) -> None:
    scores = torch.linspace(-1e4, 1e4, pattern.num_entries)
    softmax = pattern.row_softmax(scores)
    assert bool(softmax.isfinite().all())
    sums = pattern.row_sum(softmax.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(sums, mask.any(1).float())


def test_gradcheck_in_double_precision(pattern: CsrPattern) -> None:
    values, columns, rows = _values(pattern, 2), _nodes(_SHAPE[1], 2), _nodes(_SHAPE[0], 2)
    assert torch.autograd.gradcheck(pattern.spmm, (values, columns))
    assert torch.autograd.gradcheck(pattern.sddmm, (rows, columns))
    assert torch.autograd.gradcheck(pattern.row_softmax, (values,))
    assert torch.autograd.gradcheck(
        pattern.edge_sum, (_random(_SHAPE[0], 2), _random(_SHAPE[1], 2))
    )


def test_sums_over_rows_and_columns(mask: Tensor, pattern: CsrPattern) -> None:
    values = _values(pattern, 2).detach()
    dense = _scatter(mask, values)
    torch.testing.assert_close(pattern.row_sum(values), dense.sum(1))
    torch.testing.assert_close(pattern.column_sum(values), dense.sum(0))


def test_single_precision_keeps_its_type(pattern: CsrPattern) -> None:
    values = torch.rand(pattern.num_entries)
    out = pattern.spmm(values, torch.rand(_SHAPE[1], 3))
    assert out.dtype == torch.float32
    assert out.shape == (_SHAPE[0], 3)
