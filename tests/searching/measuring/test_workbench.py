"""What a process measures allocations with."""

from collections.abc import Callable

import torch

from sgq_auto.graphs import PreparedData
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.measuring.reference_models import mean_probabilities
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.training import FitSettings

SettingsBuilder = Callable[..., SearchSettings]


def test_the_teacher_is_the_mean_of_consecutive_seeds(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    search = settings(teachers=3)
    bench = Workbench.build(search, synthetic.graph, 5)
    each = [mean_probabilities(search, synthetic.graph, [seed]) for seed in (5, 6, 7)]
    torch.testing.assert_close(bench.teacher, sum(each) / 3)
    torch.testing.assert_close(bench.teacher.sum(dim=1), torch.ones(synthetic.graph.num_nodes))
    assert not torch.equal(each[0], each[1])


def test_no_teacher_is_trained_where_none_is_asked(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    search = settings(finetune=FitSettings(2, 0.02, 0.0))
    bench = Workbench.build(search, synthetic.graph)
    assert len(list(search.cache.glob("*.safetensors"))) == 1
    allocation = BitAllocation.uniform(bench.footprints.sites(), 4)
    assert 0 < bench.measure(allocation).val_accuracy <= 1
