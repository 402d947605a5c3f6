"""Whether full precision is better than guessing: what is no better is not worth compressing."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import torch

from sgq_auto.graphs import Graph
from sgq_auto.searching.measuring.chance_level import chance_score
from sgq_auto.task import Metric

# Standard normal quantile of a one-sided bound that holds in 95 % of cases.
_Z = 1.6449
# Of what guessing gets wrong, the share that a model must get right to be more than barely better.
_LEAST_GAIN = 0.1
_LOOK_AT = "features, labels, edges and pretrain.epochs"
_LOOK_AT_OWN = "features, edges and the order of classes that the model was trained with"


class Standing(StrEnum):
    """How full precision compares with always answering the most frequent class."""

    BETTER = "better"
    MAY_BE_LOST = "may be lost"
    BARELY_BETTER = "barely better"
    NOT_CLEARLY_BETTER = "not clearly better"
    NO_BETTER = "no better"
    ONE_CLASS = "only one class"


@dataclass(frozen=True)
class Guessing:
    """Full precision against one answer for all validation nodes: of classes, the most frequent.

    Attributes:
        standing: How they compare.
        val_accuracy: Validation accuracy of full precision, 0..1, or what else is the metric.
        val_accuracy_at_least: Its one-sided 95 % bound (Wilson's), for so many nodes; ``None`` of
            another metric.
        majority_accuracy: What guessing gets, 0..1, or of another metric.
        majority_class: The class that it answers; ``None`` where a metric has no such one.
        val_nodes: Validation nodes.
        warning: The same in words; ``None`` where full precision is better.
    """

    standing: Standing
    val_accuracy: float
    val_accuracy_at_least: float | None
    majority_accuracy: float
    majority_class: str | None
    val_nodes: int
    warning: str | None

    @classmethod
    def of(
        cls, val_accuracy: float, graph: Graph, allowed_drop: float, *, trained_here: bool = True
    ) -> "Guessing":
        """Compare an accuracy on the validation nodes of a graph.

        Args:
            val_accuracy: Validation accuracy of full precision, 0..1.
            graph: The graph.
            allowed_drop: Percentage points that a recommended model may lose.
            trained_here: Whether the search trained the model: what may be wrong depends on it.
        """
        look_at = _LOOK_AT if trained_here else _LOOK_AT_OWN
        if not (graph.task.is_classification and graph.metric is Metric.ACCURACY):
            return cls._of_metric(val_accuracy, graph, allowed_drop, look_at)
        counts = torch.bincount(graph.val.labels, minlength=graph.num_classes)
        nodes, most, unit = int(counts.sum()), int(counts.argmax()), graph.task.unit
        share = float(counts[most]) / nodes
        least = wilson_bound(val_accuracy, nodes)
        standing = _standing(val_accuracy, least, share, allowed_drop)
        name = graph.classes[most]
        warning = _WORDS[standing].format(
            own=f"{100 * val_accuracy:.1f} %",
            least=f"{100 * least:.1f} %",
            nodes=f"{nodes:,} validation {unit}{'' if nodes == 1 else 's'}",
            unit=unit,
            guess=f"{100 * share:.1f} %",
            name=f"{name!r}",
            gained=f"{100 * (val_accuracy - share):.1f}",
            allowed=f"{allowed_drop:g}",
            look_at=look_at,
        )
        return cls(standing, val_accuracy, least, share, name, nodes, warning or None)

    @classmethod
    def _of_metric(cls, own: float, graph: Graph, allowed_drop: float, look_at: str) -> "Guessing":
        """The same for another figure than the accuracy of classes."""
        metric, nodes, unit = graph.metric, graph.val.nodes.numel(), graph.task.unit
        chance = chance_score(graph)
        standing = _standing_of(metric, own, chance, allowed_drop)
        warning = _METRIC_WORDS[standing].format(
            name=metric.words,
            own=metric.text(own),
            guess=metric.text(chance),
            nodes=f"{nodes:,} validation {unit}{'' if nodes == 1 else 's'}",
            unit=unit,
            allowed=f"{allowed_drop:g} {metric.unit}",
            look_at=look_at,
        )
        return cls(standing, own, None, chance, None, nodes, warning or None)

    def as_dict(self) -> dict[str, Any]:
        """The values, JSON-ready."""
        return asdict(self)


def wilson_bound(accuracy: float, nodes: int) -> float:
    """The lower end of Wilson's one-sided 95 % interval of an accuracy that so many nodes gave."""
    square = _Z**2
    middle = accuracy + square / (2 * nodes)
    width = _Z * math.sqrt(accuracy * (1 - accuracy) / nodes + square / (4 * nodes**2))
    return max(0.0, (middle - width) / (1 + square / nodes))


def untaught(accuracies: Sequence[float], graph: Graph, allowed_drop: float) -> str | None:
    """A warning if some of the models that teach are no better than guessing, else ``None``.

    Args:
        accuracies: Validation accuracies of all of them, 0..1.
        graph: The graph.
        allowed_drop: Percentage points that a recommended model may lose.
    """
    found = [Guessing.of(a, graph, allowed_drop) for a in accuracies]
    poor = [g for g in found if g.standing in (Standing.NO_BETTER, Standing.NOT_CLEARLY_BETTER)]
    if not poor:
        return None
    own = ", ".join(graph.metric.text(g.val_accuracy) for g in found)
    guess, called = graph.metric.text(poor[0].majority_accuracy), poor[0].majority_class
    one = f"one answer for all {graph.task.unit}s"
    one = one if called is None else f"always answering class {called!r}"
    figures = "accuracies are" if called is not None else f"figures ({graph.metric.words}) are"
    return (
        f"Warning: {len(poor)} of {len(found)} full-precision models that teach are not clearly "
        f"better than {one} ({guess}): their validation {figures} {own}. "
        f"Training is not stable; look at the learning rate and pretrain.epochs."
    )


def _standing(accuracy: float, least: float, share: float, allowed_drop: float) -> Standing:
    if share == 1.0:
        return Standing.ONE_CLASS
    # Differences of fractions are off in the last bits.
    if accuracy <= share + 1e-9:
        return Standing.NO_BETTER
    if least <= share:
        return Standing.NOT_CLEARLY_BETTER
    gained = accuracy - share
    if gained < _LEAST_GAIN * (1 - share):
        return Standing.BARELY_BETTER
    return Standing.MAY_BE_LOST if gained <= allowed_drop / 100 + 1e-9 else Standing.BETTER


def _standing_of(metric: Metric, own: float, chance: float, allowed_drop: float) -> Standing:
    """How a figure compares with what one answer for all nodes reaches."""
    if not own > chance + 1e-9:
        return Standing.NO_BETTER
    best = 1.0 if metric.is_share else 0.0
    if own - chance < _LEAST_GAIN * (best - chance):
        return Standing.BARELY_BETTER
    lost = metric.drop(own, chance) <= allowed_drop + 1e-9
    return Standing.MAY_BE_LOST if lost else Standing.BETTER


_METRIC_WORDS = {
    Standing.BETTER: "",
    Standing.MAY_BE_LOST: "Warning: full precision has {name} {own} on {nodes}, and one answer for "
    "all of them {guess}. A drop of {allowed} is allowed, so what is recommended may be no better.",
    Standing.BARELY_BETTER: "Warning: full precision is barely better than one answer for all "
    "{unit}s: it has {name} {own} on {nodes}, and that answer {guess}. What is compressed has "
    "learned little; look at {look_at} first.",
    Standing.NO_BETTER: "Warning: full precision is no better than one answer for all {unit}s: it "
    "has {name} {own} on {nodes}, and that answer {guess}. What is compressed has learned nothing "
    "that counts; look at {look_at} first.",
}
_WORDS = {
    Standing.BETTER: "",
    Standing.MAY_BE_LOST: "Warning: full precision is right on {own} of {nodes}, and always "
    "answering class {name} on {guess}. A drop of {allowed} points is allowed, so what is "
    "recommended may be no better than guessing.",
    Standing.BARELY_BETTER: "Warning: full precision is barely better than guessing: it is right "
    "on {own} of {nodes}, and always answering class {name} is right on {guess}. What is "
    "compressed has learned little; look at {look_at} first.",
    Standing.NOT_CLEARLY_BETTER: "Warning: full precision is not clearly better than guessing: it "
    "is right on {own} of {nodes}, and always answering class {name} is right on {guess}. With so "
    "few {unit}s this accuracy is uncertain: with 95 % confidence it is at least {least}. Give "
    "more validation {unit}s, or look at {look_at}.",
    Standing.NO_BETTER: "Warning: full precision is no better than guessing: it is right on {own} "
    "of {nodes}, and always answering class {name} is right on {guess}. What is compressed has "
    "learned nothing that counts; look at {look_at} first.",
    Standing.ONE_CLASS: "Warning: all of the {nodes} are of class {name}, so accuracy on them says "
    "nothing about a model; choose a split that has every class among its validation {unit}s.",
}
