"""The default suite's sample of a large test has every value of every parameter, and few cases."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampled_cases import sample

pytest_plugins = ["pytester"]

_SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=3)


@given(_SIZES)
def test_each_value_occurs_in_as_few_cases_as_possible(sizes: list[int]) -> None:
    names = ["a", "b", "c"]
    grid = product(
        *([(name, k) for k in range(size)] for name, size in zip(names, sizes, strict=False))
    )
    cases = [set(case) for case in grid]
    chosen = sample(cases)
    assert set().union(*(cases[place] for place in chosen)) == set().union(*cases)
    assert len(chosen) == max(sizes)


def test_the_rest_is_slow_and_every_case_is_in_one_of_both(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from sampled_cases import mark_cases_outside_the_sample

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(items):
            mark_cases_outside_the_sample(items)
        """
    )
    pytester.makeini("[pytest]\nmarkers =\n    slow\n    sampled\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.sampled
        @pytest.mark.parametrize("a", range(3))
        @pytest.mark.parametrize("b", range(4))
        def test_walk(a, b): pass

        def test_alone(): pass
        """
    )
    pytester.runpytest("-m", "not slow", "-p", "no:cacheprovider").assert_outcomes(passed=4 + 1)
    pytester.runpytest("-m", "slow", "-p", "no:cacheprovider").assert_outcomes(passed=12 - 4)
