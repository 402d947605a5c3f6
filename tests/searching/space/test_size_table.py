"""Exact bytes of many allocations at once are the footprint's."""

from typing import Any

import numpy as np
import pytest

from sgq_auto.graphs import PreparedData
from sgq_auto.packed import Objective
from sgq_auto.searching import Granularity, ModelSettings
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.space.size_table import sizes_of

_MODELS = ["GCN", "GAT", "AGNN", "SAGE", "GIN"]
_CASES = [(model, objective) for model in _MODELS for objective in Objective]


@pytest.mark.sampled
@pytest.mark.parametrize("ladder", [(1, 2, 4), (8, 16, 32)])
@pytest.mark.parametrize(
    ("model", "objective"), [c for c in _CASES if c[0] != "AGNN" or not c[1].of_device]
)
def test_sizes_are_those_of_the_footprint(
    ladder: tuple[int, ...],
    objective: Objective,
    model: str,
    settings: Any,
    synthetic: PreparedData,
) -> None:
    search = settings(
        model=ModelSettings(model, {"_target_": f"sgq_auto.models.{model}", "hidden": 4}),
        granularity=Granularity.LWQ_CWQ_TAQ,
        objective=objective,
        ladder=ladder,
    )
    bench = Workbench.untrained(search, synthetic.graph)
    table = sizes_of(bench.footprints, bench.space, objective)
    rng = np.random.default_rng(0)
    positions = rng.integers(0, len(search.ladder), size=(40, len(bench.space.searched)))
    expected = [
        bench.footprints.packed(bench.space.allocation(bench.space.params(row))).figure(objective)
        for row in positions.tolist()
    ]
    assert table(positions).tolist() == expected
    assert bench.num_bytes(bench.space.params(positions[0].tolist())) == bench.sizes(positions)[0]
