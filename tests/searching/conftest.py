"""A search small enough to run inside a test."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sgq_auto.graphs import PreparedData
from sgq_auto.searching import ConfirmSettings, Granularity, ModelSettings, SearchSettings
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.training import FitSettings

SettingsBuilder = Callable[..., SearchSettings]


@pytest.fixture
def settings(tmp_path: Path) -> SettingsBuilder:
    """Settings of a tiny search; keyword arguments replace fields."""

    def build(**changes: Any) -> SearchSettings:
        fields: dict[str, Any] = {
            "dataset": "synthetic",
            "model": ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN", "hidden": 4}),
            "granularity": Granularity.LWQ_CWQ,
            "sampler_name": "tpe",
            "sampler": {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 2},
            "pretrain": FitSettings(20, 0.05, 0.0, evaluate_every=5),
            "finetune": FitSettings(2, 0.02, 0.0, distillation=1.0),
            "output_root": tmp_path,
            "n_trials": 8,
            "ladder": (1, 2, 4),
            "confirm": ConfirmSettings(seeds=2, max_points=2),
        }
        return SearchSettings(**fields | changes)

    return build


@pytest.fixture
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training a model at full precision fails the test."""

    def train(*_: object) -> None:
        raise AssertionError("nothing is to be trained")

    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules["sgq_auto.training.pretrain"], "fit", train)


@pytest.fixture
def bench(settings: SettingsBuilder, synthetic: PreparedData) -> Workbench:
    return Workbench.build(settings(), synthetic.graph)
