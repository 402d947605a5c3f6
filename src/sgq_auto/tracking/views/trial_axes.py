"""Which bits the charts of trials have axes for, and the short names of these axes."""

from collections.abc import Sequence

import numpy as np

from sgq_auto.packed.allocation import Component
from sgq_auto.searching.measuring.search_start import SearchStart

# With more, the UI's parallel coordinates are a thicket.
MOST_AXES = 8
# The UI cuts what is longer.
_LONGEST = 15
_SHORT: dict[str, str] = {
    Component.EMBEDDING: "emb",
    Component.ATTENTION: "att",
    Component.WEIGHT: "weight",
}


def trial_axes(searched: Sequence[str], start: SearchStart) -> dict[str, str]:
    """The axes' names by the searched groups that get one, in the model's order.

    Where there are too many groups, those whose fewest bits cost most have an axis.

    Args:
        searched: Names of the groups whose bits are searched.
        start: What is known of what their bits cost.
    """
    chosen = list(range(len(searched)))
    losses = start.sensitivities
    if len(searched) > MOST_AXES and losses is not None and losses.groups == tuple(searched):
        chosen = np.argsort(-losses.monotone[:, 0], kind="stable").tolist()
    places = sorted(chosen[:MOST_AXES])
    names = short_names(searched)
    return {searched[place]: names[place] for place in places}


def short_names(groups: Sequence[str]) -> list[str]:
    """A short name for each group of sites: ``conv1.emb0`` for ``conv1.embedding.0``.

    A layer whose name is too long is called by its place in the model, like ``L3``.
    """
    split = [_split(group) for group in groups]
    places = {layer: f"L{k}" for k, layer in enumerate(dict.fromkeys(x for x, _ in split), start=1)}
    names = []
    for layer, part in split:
        name = ".".join(filter(None, (layer, part)))
        names.append(
            name if len(name) <= _LONGEST else ".".join(filter(None, (places[layer], part)))
        )
    if len(set(names)) < len(names):  # A model may have a layer L3 itself.
        return [f"group{place}" for place in range(1, len(names) + 1)]
    return names


def _split(group: str) -> tuple[str, str]:
    """The layer of a group, and its component with the bucket; either may be empty."""
    words = group.split(".")
    bucket = words.pop() if len(words) > 1 and words[-1].isdigit() and words[-2] in _SHORT else ""
    if words[-1] not in _SHORT:
        return group, ""
    return ".".join(words[:-1]), _SHORT[words[-1]] + bucket
