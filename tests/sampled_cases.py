"""Which cases of a large test the default suite runs: a sample in which every value occurs.

A test of 44 models on six odd graphs has 264 cases. A defect of a model shows on most graphs and a
defect of a graph in most models, so that cases in which each model and each graph occurs once find
nearly all that the whole walk finds. ``@pytest.mark.sampled`` leaves these in the default suite
and marks the others slow.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

Value = tuple[str, int]


def mark_cases_outside_the_sample(items: Sequence[pytest.Item]) -> None:
    """Mark as slow what a test marked ``sampled`` has beyond the sample of its cases."""
    tests: dict[str, list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("sampled"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for cases in tests.values():
        chosen = sample([set(_values(case)) for case in cases])
        for place, case in enumerate(cases):
            if place not in chosen:
                case.add_marker(pytest.mark.slow)


def sample(cases: Sequence[set[Value]]) -> list[int]:
    """Places of few cases in which every value of every parameter occurs.

    Each step takes the case with the most values that are new; among equal ones, that whose
    values were used least, and then the first, so that the choice is always the same.
    """
    missing, used, chosen = set[Value]().union(*cases), Counter[Value](), list[int]()
    while missing:
        costs = [(-len(case & missing), sum(used[value] for value in case)) for case in cases]
        best = costs.index(min(costs))
        chosen.append(best)
        used.update(cases[best])
        missing -= cases[best]
    return chosen


def _values(case: pytest.Function) -> list[Value]:
    """The name of each parameter of a case, with its value: cases share the same objects."""
    values = case.callspec.params if hasattr(case, "callspec") else {}
    return [(name, id(value)) for name, value in values.items()]
