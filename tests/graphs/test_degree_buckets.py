"""Degree buckets: borders, quantiles and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.errors import InputError
from sgq_auto.graphs.degree_buckets import (
    check_split_points,
    degree_buckets,
    quantile_split_points,
)
from sgq_auto.settings.bucket_settings import DEFAULT_SPLIT_POINTS


def test_default_buckets_hold_0_to_4_5_to_8_9_to_16_and_the_rest() -> None:
    degrees = np.array([0, 1, 4, 5, 8, 9, 16, 17, 5000])
    assert degree_buckets(degrees, DEFAULT_SPLIT_POINTS).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_no_split_point_makes_one_bucket() -> None:
    assert degree_buckets(np.array([0, 3, 99]), ()).tolist() == [0, 0, 0]
    assert check_split_points([]) == ()


@given(
    st.lists(st.integers(0, 200), min_size=1),
    st.lists(st.integers(0, 100), unique=True).map(sorted),
)
def test_a_bucket_is_the_number_of_split_points_below(
    degrees: list[int], points: list[int]
) -> None:
    buckets = degree_buckets(np.array(degrees), points)
    assert buckets.tolist() == [sum(point < degree for point in points) for degree in degrees]


def test_quantiles_cut_where_the_nodes_are() -> None:
    degrees = np.arange(100)
    points = quantile_split_points(degrees, [0.25, 0.5, 0.75])
    assert points == (24, 49, 74)
    assert np.bincount(degree_buckets(degrees, points)).tolist() == [25, 25, 25, 25]


def test_equal_quantiles_merge() -> None:
    assert quantile_split_points(np.array([1, 1, 1, 1, 9]), [0.1, 0.5, 0.7]) == (1,)


@pytest.mark.parametrize("points", [[4, 4], [8, 4], [-1, 3], [2.5], ["4"]])
def test_bad_split_points_are_refused(points: list[int]) -> None:
    with pytest.raises(InputError, match=r"^buckets\.split_points=\[[^\n]*$"):
        check_split_points(points)


@pytest.mark.parametrize("quantiles", [[0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [0.9, 0.1], [2]])
def test_bad_quantiles_are_refused(quantiles: list[float]) -> None:
    with pytest.raises(InputError, match=r"^buckets\.quantiles=\[[^\n]*$"):
        quantile_split_points(np.arange(9), quantiles)
