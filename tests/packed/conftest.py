"""Packed models that the tests share."""

from collections.abc import Callable
from functools import cache

import pytest
from cases import Case, make_case

from sgq_auto.graphs import BucketSettings, PreparedData, prepare_graph
from sgq_auto.graphs.sources import SyntheticSource
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.packed.allocation import DEFAULT_LADDER


@pytest.fixture(scope="session")
def dense() -> PreparedData:
    """A graph whose features are all stored."""
    raw = SyntheticSource(300, 900, 30, 4, words_per_node=None, seed=1).load()
    split = PerClassSplit(10, num_val=80, num_test=120).split(raw)
    return prepare_graph(raw, split, BucketSettings(), normalize_rows=True)


@pytest.fixture(scope="session")
def small_case(synthetic: PreparedData) -> Callable[[str], Case]:
    """A case by model, on the synthetic graph."""

    @cache
    def make(model: str) -> Case:
        return make_case(synthetic.graph, model, list(DEFAULT_LADDER))

    return make
