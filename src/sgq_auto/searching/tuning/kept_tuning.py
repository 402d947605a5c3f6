"""What tuning found, as a file: the same search again reads it, and a study keeps a copy."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sgq_auto.errors import InputError
from sgq_auto.files.atomic_file import whole_file
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.tuning.successive_halving import TunedRun
from sgq_auto.searching.tuning.training_recipe import NORMALIZE, Recipe, set_by_hand
from sgq_auto.task import Metric

# What a recipe may set, beside the normalisation of features.
_TUNED = re.compile(r"(pretrain|finetune|model)\.[a-z]\w*", re.ASCII)
# Raised whenever a change makes tuning find something else.
_VERSION = 2


@dataclass(frozen=True)
class Tuning:
    """What tuning found.

    Attributes:
        recipe: The settings that won; those of the search, where none is better.
        default: The settings of the search.
        val_accuracy: Mean validation accuracy of the winner over the last round's seeds, 0..1.
        default_val_accuracy: The same of the settings of the search.
        runs: Every training run.
        seconds: How long it took.
        metric: What takes the place of accuracy.
    """

    recipe: Recipe
    default: Recipe
    val_accuracy: float
    default_val_accuracy: float
    runs: tuple[TunedRun, ...]
    seconds: float
    metric: Metric = Metric.ACCURACY

    @property
    def changes(self) -> Recipe:
        """The settings that differ from those of the search."""
        values = self.recipe.values
        return Recipe({k: v for k, v in values.items() if v != self.default.values.get(k)})

    @property
    def overrides(self) -> list[str]:
        """What to add to the search command to train so without tuning."""
        return ["pretrain.tune=off", *self.changes.overrides]

    @property
    def line(self) -> str:
        """What was found and how to repeat it without tuning, for the terminal."""
        own, usual = map(self.metric.text, (self.val_accuracy, self.default_val_accuracy))
        if any(not name.startswith("finetune.") for name in self.changes.values):
            found = f"validation {self.metric.words} {own}, with the settings given {usual}"
        else:
            tried = sum(run.stage == "first" for run in self.runs)
            found = f"none of {tried} ways was clearly better than the settings given ({usual})"
        return f"tuned full precision: {found}; to repeat: {' '.join(self.overrides)}"

    def applied(
        self, settings: SearchSettings, data: PreparedData
    ) -> tuple[SearchSettings, PreparedData]:
        """Settings and data with what was found; their configuration says so."""
        config = _configured(settings.config, self.changes.values)
        settings = replace(self.changes.applied(settings), config=config)
        return settings, self.changes.prepared_data(data)

    def as_dict(self) -> dict[str, Any]:
        """The values, JSON-ready."""
        return {
            "overrides": self.overrides,
            "recipe": dict(self.recipe.values),
            "default": dict(self.default.values),
            "val_accuracy": self.val_accuracy,
            "default_val_accuracy": self.default_val_accuracy,
            "seconds": self.seconds,
            "metric": self.metric.value,
            "runs": [asdict(run) for run in self.runs],
        }


def key_of(settings: SearchSettings, graph: Graph) -> str:
    """Text that determines what is tuned.

    Seeds of searches do not, and neither does their length, though longer ones try more: a search
    that goes on to more trials is the same study.
    """
    key = [
        _VERSION,
        settings.model.key_on(graph),
        graph.fingerprint,
        settings.pretraining.key,
        settings.finetune.key,
        settings.teachers,
        settings.ladder,
        settings.ranges,
        settings.device,
        settings.tune.mode,
        # Others, like n_trials, change nothing of what is found.
        sorted(name for name in set_by_hand(settings) if _is_tuned(name)),
    ]
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:32]


def keep_tuning(found: Tuning, path: Path) -> None:
    """Write what tuning found, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as scratch:
        scratch.write_text(json.dumps(found.as_dict(), indent=1) + "\n", encoding="utf-8")


def kept_tuning(path: Path) -> Tuning | None:
    """Read what was found; ``None`` where nothing sound is there, and it is tuned again."""
    try:
        return _checked(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        return None


def _checked(read: Mapping[str, Any]) -> Tuning:
    recipe, default = (_recipe(read[name]) for name in ("recipe", "default"))
    own, usual = (float(read[name]) for name in ("val_accuracy", "default_val_accuracy"))
    if not (-math.inf < own <= 1 and -math.inf < usual <= 1):
        raise ValueError("no metric is above 1")
    # Kept before there were others, it does not say which.
    metric = Metric(read.get("metric", Metric.ACCURACY))
    runs = [TunedRun(**{**run, "values": _recipe(run["values"]).values}) for run in read["runs"]]
    return Tuning(recipe, default, own, usual, tuple(runs), float(read["seconds"]), metric)


def _is_tuned(name: str) -> bool:
    """Whether a recipe may set this setting."""
    return name == NORMALIZE or _TUNED.fullmatch(name) is not None


def _recipe(values: Mapping[str, Any]) -> Recipe:
    for name, value in values.items():
        if not _is_tuned(name):
            raise ValueError(f"{name} is not tuned")
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} is a number, or true or false")
    return Recipe(dict(values))


def _configured(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A kept configuration with other values, and nothing left to tune."""
    kept: dict[str, Any] = json.loads(json.dumps(dict(config), default=str))
    tree = kept.get("config")
    if tree is None:
        return kept
    for name, value in {**values, "pretrain.tune": "off"}.items():
        group, _, key = name.partition(".")
        tree.setdefault(group, {})[key] = value
    return kept
