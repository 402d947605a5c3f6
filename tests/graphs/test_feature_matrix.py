"""Sparse and dense features: products, masks and row normalisation."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sgq_auto.graphs import CsrPattern, DenseFeatures, Features, PreparedData, SparseFeatures

_X = torch.tensor(
    [[0.0, 2.0, 0.0, 6.0], [0.0, 0.0, 0.0, 0.0], [0.25, 0.0, 0.0, 0.25], [1.0, 1.0, 0.0, 2.0]]
)
_NORMALIZED = torch.tensor(
    [[0.0, 0.25, 0.0, 0.75], [0.0, 0.0, 0.0, 0.0], [0.25, 0.0, 0.0, 0.25], [0.25, 0.25, 0.0, 0.5]]
)


def _features(kind: type[Features], *, normalize: bool) -> Features:
    if kind is DenseFeatures:
        return DenseFeatures(_X, (3, 1), normalize)
    rowptr = np.concatenate(([0], np.cumsum((_X != 0).sum(1).numpy())))
    pattern = CsrPattern.from_arrays(rowptr, _X.nonzero()[:, 1].numpy(), (4, 4))
    return SparseFeatures(pattern, _X[_X != 0], (4, 3), normalize)


@pytest.fixture(params=[DenseFeatures, SparseFeatures])
def kind(request: pytest.FixtureRequest) -> type[Features]:
    return request.param


@pytest.mark.parametrize(("normalize", "expected"), [(False, _X), (True, _NORMALIZED)])
def test_dense_is_the_matrix_that_pyg_sees(
    kind: type[Features], normalize: bool, expected: Tensor
) -> None:
    features = _features(kind, normalize=normalize)
    assert features.num_features == 4
    torch.testing.assert_close(features.dense(), expected)


def test_linear_and_its_gradient_match_the_dense_product(kind: type[Features]) -> None:
    features = _features(kind, normalize=True)
    weight = torch.randn(3, 4, requires_grad=True)
    out = features.matrix(features.values).linear(weight)
    expected = _NORMALIZED @ weight.t()
    torch.testing.assert_close(out, expected)
    direction = torch.randn_like(out)
    (gradient,) = torch.autograd.grad(out, weight, direction)
    (expected_gradient,) = torch.autograd.grad(expected, weight, direction)
    torch.testing.assert_close(gradient, expected_gradient)


def test_matrix_holds_the_values_it_is_given(kind: type[Features]) -> None:
    features = _features(kind, normalize=True)
    eye = torch.eye(4)
    doubled = features.matrix(features.values * 2).linear(eye)
    expected = 2 * _X / (2 * _X).sum(1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(doubled, expected)


def test_other_values_take_the_stored_places(kind: type[Features]) -> None:
    features = _features(kind, normalize=True)
    matrix = features.matrix(features.values)
    mask = torch.arange(float(features.values.numel())).view_as(features.values)
    masked = matrix.with_values(matrix.values * mask).linear(torch.eye(4))
    by_entry = mask if kind is DenseFeatures else torch.zeros(4, 4).masked_scatter(_X != 0, mask)
    torch.testing.assert_close(masked, _NORMALIZED * by_entry)


def test_cora_rows_sum_to_one(cora: PreparedData) -> None:
    features = cora.graph.features
    assert isinstance(features, SparseFeatures)
    sums = features.dense().sum(1)
    torch.testing.assert_close(sums, torch.ones(2708))
    assert features.values.numel() == sum(features.bucket_values) == 49_216
