"""What models of the confirm stage are compared by: the accuracy of classes, or another metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from sgq_auto.graphs import Graph
from sgq_auto.searching.confirming.drop_estimate import answers, drop_evidence
from sgq_auto.searching.confirming.kept_answers import (
    keep_answers,
    keep_outputs,
    kept_answers,
    kept_outputs,
)
from sgq_auto.searching.confirming.observed_drop import Evidence, Observer
from sgq_auto.task import Metric


class Judge(Protocol):
    """Says what is known of a model's drop from full precision without test labels."""

    def seen(self, outputs: Tensor) -> Tensor:
        """What of a model's outputs ``[N, K]`` it compares."""

    def evidence(self, twin: Tensor, own: Tensor) -> Evidence:
        """What is known of a model; ``twin`` and ``own`` are from :meth:`seen`."""

    def keep(self, seen: Tensor, path: Path) -> None:
        """Write what was seen of a twin, whole or not at all."""

    def kept(self, path: Path) -> Tensor | None:
        """Read it; ``None`` where nothing sound is there."""


@dataclass(frozen=True, eq=False)
class AccuracyJudge:
    """Of the accuracy of classes, of which models without part have an opinion on every node.

    Attributes:
        graph: The graph.
        reference: Class probabilities ``[N, classes]`` of models that have no part.
        full: What full precision answers, mean of the fresh seeds, ``[N, classes]``.
        num_unseen: Number of test nodes.
    """

    graph: Graph
    reference: Tensor
    full: Tensor
    num_unseen: int

    def seen(self, outputs: Tensor) -> Tensor:
        """The answers on every node."""
        return answers([outputs])

    def evidence(self, twin: Tensor, own: Tensor) -> Evidence:
        """Opinions on all nodes, corrected by validation labels."""
        return drop_evidence(self.reference, self.full, twin, own, self.graph, self.num_unseen)

    def keep(self, seen: Tensor, path: Path) -> None:
        """Write the answers."""
        keep_answers(seen, path)

    def kept(self, path: Path) -> Tensor | None:
        """Read them."""
        return kept_answers(path, self.graph, len(self.reference))


@dataclass(frozen=True, eq=False)
class MetricJudge:
    """Of any other metric, seen on the validation nodes.

    Attributes:
        graph: The graph.
        observer: Compares models there.
    """

    graph: Graph
    observer: Observer

    def seen(self, outputs: Tensor) -> Tensor:
        """The outputs on validation nodes, in the units of the labels."""
        return self.graph.in_units(outputs.index_select(0, self.graph.val.nodes))

    def evidence(self, twin: Tensor, own: Tensor) -> Evidence:
        """What was lost there, and how certain it is."""
        return self.observer.drop(twin, own)

    def keep(self, seen: Tensor, path: Path) -> None:
        """Write the outputs."""
        keep_outputs(seen, path)

    def kept(self, path: Path) -> Tensor | None:
        """Read them."""
        return kept_outputs(path, self.graph)


def has_opinions(graph: Graph) -> bool:
    """Whether models without part tell something of a drop: of the accuracy of classes."""
    return graph.task.is_classification and graph.metric is Metric.ACCURACY


def judge_of(
    graph: Graph, reference: Tensor | None, full: Sequence[Tensor], num_unseen: int
) -> Judge:
    """What compares models on a graph.

    Args:
        graph: The graph; its validation labels are read.
        reference: Class probabilities of models without part, if they have opinions.
        full: What full precision of each fresh seed returns, ``[N, K]``.
        num_unseen: Number of test nodes.
    """
    if reference is not None:
        return AccuracyJudge(graph, reference, answers(full), num_unseen)
    rows = [graph.in_units(each.index_select(0, graph.val.nodes)) for each in full]
    return MetricJudge(graph, Observer.of(graph.metric, rows, graph.val.labels, num_unseen))
