"""The parameters of a study's run in MLflow: all that its configuration holds."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from mlflow.entities import Param

from sgq_auto.searching import StudyProgress
from sgq_auto.settings import Budget, RootSettings
from sgq_auto.text.passwords import without_passwords

# What MLflow takes as the name of a parameter; and a length that every version of it takes.
_NAME = re.compile(r"\w[\w.-]{0,200}", re.ASCII)
_LONGEST = 500
# Where a study is tracked is no property of it.
_LEFT_OUT = ("tracking",)


def study_params(progress: StudyProgress) -> list[Param]:
    """Every setting by its whole name, like ``finetune.epochs``, and a few under short names."""
    settings = progress.bench.settings
    config: Mapping[str, Any] = settings.config.get("config", {})
    held = {name: value for name, value in config.items() if name not in _LEFT_OUT}
    values = {
        **_fields(settings, RootSettings),
        **_fields(settings.budget, Budget),
        **dict(_flat(held)),
        **settings.names,
        "task": progress.bench.graph.task,
        "metric": progress.bench.graph.metric,
        "split_points": list(progress.bench.graph.split_points),
        "finetune_epochs": settings.finetune.epochs,
        "pretrain_epochs": settings.pretrain.epochs if settings.pretrain else 0,
    }
    return [Param(name, _text(value)) for name, value in values.items() if _NAME.fullmatch(name)]


def _fields(settings: object, kind: type[Any]) -> dict[str, Any]:
    """The fields of a settings class by their names."""
    return {each.name: getattr(settings, each.name) for each in fields(kind)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by their whole names."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value)
    text = str(value.value if isinstance(value, Enum) else value)
    return without_passwords(text)[:_LONGEST]
