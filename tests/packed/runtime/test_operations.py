"""Operations by themselves, against what they are defined as."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.packed.runtime.operations.elementwise import Activate, Function
from sgq_auto.packed.runtime.operations.norms import (
    PairNorm,
    StandardizeAll,
    StandardizeColumns,
    Statistics,
)

_NUMBERS = st.floats(-1e30, 1e30)


@given(st.floats(-40, 40))
def test_gelu_has_the_precision_of_fp64(x: float) -> None:
    made = Activate(inputs=(0,), function=Function.GELU)(np.array([[x]]))
    assert made[0, 0] == pytest.approx(0.5 * x * (1 + math.erf(x / math.sqrt(2))), abs=1e-12)


@given(st.lists(_NUMBERS, min_size=1, max_size=5), st.sampled_from(list(Function)))
def test_activations_are_finite_and_leave_their_input_alone(
    x: list[float], function: Function
) -> None:
    values = np.array([x])
    made = Activate(inputs=(0,), function=function, parameter=0.3)(values)
    assert np.isfinite(made).all()
    assert values.tolist() == [x]


@pytest.mark.parametrize("value", [0.0, 3.0, -1e30])
def test_norms_of_a_value_that_is_the_same_everywhere_are_finite(value: float) -> None:
    x = np.full((7, 3), value)
    found = Statistics(7, x.sum(axis=0), np.square(x).sum(axis=0))
    share = np.ones(3, np.float32)
    for norm in (
        StandardizeColumns(inputs=(0,), eps=1e-5, mean_share=share),
        StandardizeAll(inputs=(0,), eps=1e-5),
        PairNorm(inputs=(0,), eps=1e-5, scale=1.0),
    ):
        made = norm(x, *norm.affine(found))
        assert np.isfinite(made).all()
