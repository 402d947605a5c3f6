"""What samplers are told before the first trial."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgq_auto.graphs import PreparedData
from sgq_auto.searching import Granularity, ModelSettings
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench

pytestmark = pytest.mark.system


def test_sizes_are_known_by_the_names_of_the_parameters(
    settings: Any, synthetic: PreparedData, tmp_path: Path
) -> None:
    search = settings(
        model=ModelSettings("gat", {"_target_": "sgq_auto.models.GAT", "hidden": 4}),
        granularity=Granularity.LWQ_CWQ_TAQ,
        output_root=tmp_path,
    )
    bench = Workbench.build(search, synthetic.graph)
    knowledge = SearchStart.prepare(bench, tmp_path / "sensitivities.json").knowledge
    assert knowledge.sizes is not None
    # The order of the sites is not that of their names, by which Optuna sorts.
    assert list(knowledge.parameters) != sorted(knowledge.parameters)
    rng = np.random.default_rng(0)
    for _ in range(10):
        params = {name: int(rng.integers(len(search.ladder))) for name in bench.space.searched}
        told = knowledge.ordered(dict(sorted(bench.space.distributions().items())))
        row = np.array([[params[name] for name in told]])
        assert knowledge.sizes(row)[0] == bench.num_bytes(params)
