"""Which bits the charts of trials show, and what their axes are called."""

import numpy as np

from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.sensitivity import Sensitivities
from sgq_auto.searching.samplers import Knowledge
from sgq_auto.tracking.views.trial_axes import MOST_AXES, short_names, trial_axes

# What the UI's axes show of a name without cutting it.
_LONGEST = 15


def start(groups: tuple[str, ...], loss: list[float] | None) -> SearchStart:
    """A start that knows what the fewest bits of each group cost."""
    known = loss and Sensitivities(groups, (1, 8), np.array([[each, 0.0] for each in loss]))
    return SearchStart(known or None, (), Knowledge())


def test_names_of_groups_are_short_and_say_which() -> None:
    assert short_names(["conv1.embedding.0", "conv1.attention", "convs.0.weight"]) == [
        "conv1.emb0",
        "conv1.att",
        "convs.0.weight",
    ]
    assert short_names(["all", "bucket2", "embedding", "convs.0"]) == [
        "all",
        "bucket2",
        "emb",
        "convs.0",
    ]


def test_names_stay_short_and_different_however_long_the_layers_are() -> None:
    layers = [f"encoder.blocks.{k}.attention_layer.projection" for k in range(12)]
    groups = [f"{layer}.{part}" for layer in layers for part in ("weight", "embedding.3")]
    names = short_names(["conv1.weight", *groups])
    assert names[:3] == ["conv1.weight", "L2.weight", "L2.emb3"]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= _LONGEST
    assert short_names(layers[:2]) == ["L1", "L2"]
    assert short_names([layers[0], "L1"]) == ["group1", "group2"]


def test_the_groups_that_cost_most_have_an_axis_in_the_models_order() -> None:
    groups = tuple(f"conv{k}.weight" for k in range(12))
    loss = [float(k % 5) for k in range(12)]
    axes = trial_axes(groups, start(groups, loss))
    assert list(axes) == [groups[k] for k in (1, 2, 3, 4, 6, 7, 8, 9)]


def test_without_sensitivities_the_first_groups_have_an_axis() -> None:
    groups = tuple(f"conv{k}.weight" for k in range(12))
    assert list(trial_axes(groups, start(groups, None))) == list(groups[:MOST_AXES])
    assert list(trial_axes(groups[:3], start(groups[:3], None))) == list(groups[:3])
