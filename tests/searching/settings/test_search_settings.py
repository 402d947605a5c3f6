"""What defines a study, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.quantize import RangeMode
from sgq_auto.searching import (
    ConfirmSettings,
    Granularity,
    ModelSettings,
    SearchSettings,
    StorageKind,
)
from sgq_auto.settings.storage_settings import StorageSettings
from sgq_auto.training import FitSettings

SettingsBuilder = Callable[..., SearchSettings]


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"teachers": 2},
        {"granularity": Granularity.CWQ},
        {"ladder": (1, 2)},
        {"ranges": RangeMode.MINMAX},
        {"finetune": FitSettings(3, 0.02, 0.0)},
        {"pretrain": FitSettings(21, 0.05, 0.0)},
        {"model": ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN", "hidden": 5})},
        {"sampler": {"_target_": "optuna.samplers.RandomSampler"}},
    ],
)
def test_what_defines_a_study_changes_its_name(
    changes: dict[str, Any], settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    assert settings(**changes).study_name(synthetic) != settings().study_name(synthetic)


@pytest.mark.parametrize("changes", [{"n_trials": 9}, {"workers": 2}, {"tolerance": 1.0}])
def test_budgets_do_not_change_the_name(
    changes: dict[str, Any], settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    assert settings(**changes).study_name(synthetic) == settings().study_name(synthetic)


def test_only_the_seed_leaves_a_study_in_its_family(
    settings: SettingsBuilder, synthetic: PreparedData, cora: PreparedData
) -> None:
    family = settings().family(synthetic.graph)
    assert settings(seed=3).family(synthetic.graph) == family
    others = [settings(n_trials=7), settings(ladder=(2, 4)), settings(tolerance=2.0)]
    families = {other.family(synthetic.graph) for other in others}
    assert len(families | {family, settings().family(cora.graph)}) == 5


def test_another_graph_is_another_study(
    settings: SettingsBuilder, synthetic: PreparedData, cora: PreparedData
) -> None:
    swapped = PreparedData(synthetic.graph, cora.held_out)
    names = {settings().study_name(data) for data in (synthetic, cora, swapped)}
    assert len(names) == 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"n_trials": 0}, "n_trials=0"),
        ({"workers": 0}, "workers=0"),
        ({"teachers": 0}, "teachers=0"),
        ({"tolerance": -0.1}, "tolerance=-0.1"),
        ({"tolerance": float("nan")}, "tolerance=nan"),
        ({"seed": -1}, "seed=-1"),
        ({"ladder": ()}, "ladder"),
        ({"ladder": (0, 2)}, "ladder"),
        ({"ladder": (2, 64)}, "ladder"),
        ({"ladder": (4, 2)}, "ladder"),
        ({"device": "tpu"}, "device=tpu"),
        ({"device": "mps"}, "device=mps"),
        ({"device": "cuda:99"}, "device=cuda:99"),
    ],
)
def test_bad_values_are_named_in_one_line(
    changes: dict[str, Any], named: str, settings: SettingsBuilder
) -> None:
    with pytest.raises(InputError) as caught:
        settings(**changes)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refinements_are_none_or_more() -> None:
    assert ConfirmSettings(refinements=0).refinements == 0
    with pytest.raises(InputError, match="refinements=-1"):
        ConfirmSettings(refinements=-1)


def test_postgresql_wants_an_address() -> None:
    with pytest.raises(InputError, match=r"storage\.url"):
        StorageSettings(StorageKind.POSTGRESQL)


@pytest.mark.parametrize(
    "config",
    [
        {"_target_": "sgq_auto.models.Missing"},
        {"_target_": "sgq_auto.models.GCN", "wrong": 1},
        {"_target_": "builtins.dict"},
    ],
)
def test_a_model_that_cannot_be_built_is_one_line(
    config: dict[str, Any], synthetic: PreparedData
) -> None:
    with pytest.raises(InputError, match="model=mine") as caught:
        ModelSettings("mine", config).build(synthetic.graph)
    assert "\n" not in str(caught.value)
