"""Optuna's own contract tests on the samplers of this project."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)

from sgq_auto.searching.samplers import AutoBitSampler, PaperSampler


@pytest.mark.sampled
class TestAutoBitSampler(
    BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase
):
    """Random starts, then trees: the contract holds in both phases."""

    @pytest.fixture(params=[1, 10], ids=["predicts at once", "starts randomly"])
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return lambda: AutoBitSampler(seed=0, startup_trials=request.param, candidates=50)


@pytest.mark.sampled
class TestPaperSampler(
    BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase
):
    """The paper's loop in batches of two."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: PaperSampler(seed=0, batch=2, candidates=50)
