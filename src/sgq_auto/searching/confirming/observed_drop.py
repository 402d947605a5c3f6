"""What an allocation costs in any metric, from the validation labels alone.

Accuracy is a mean over nodes, of which models without part have an opinion
(:mod:`~sgq_auto.searching.confirming.drop_estimate`). Other metrics compare nodes with each other,
or are errors of numbers, and so their drop is what was lost on validation nodes, with a bootstrap's
spread (Efron 1979): the metric of both models on the same samples of the nodes, drawn with
replacement.

It assumes that validation nodes are drawn like the unseen ones, which a split of equally many nodes
of each class is not, and that a drop varies over nodes that are drawn anew as over these samples:
with few nodes of a label samples spread too little. The validation labels were used before, as for
accuracy, so that the same factor widens what chance may have made of them.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from torch import Tensor

from sgq_auto.searching.confirming.drop_estimate import (
    BIASES,
    REUSE,
    Biases,
    DropEstimate,
    DropEvidence,
)
from sgq_auto.task import Metric
from sgq_auto.training import resampled_scores, score

Floats = np.ndarray[Any, np.dtype[np.float64]]

_SAMPLES = 400


@dataclass(frozen=True)
class ObservedDrop:
    """What was lost on validation nodes, in points of the metric.

    Attributes:
        lost: Drop of a model from full precision, the mean of the fresh seeds.
        variance: Of it, by the chance of which nodes are validation nodes.
        bits_lost: Drop from its twin that was distilled at full precision.
        bits_variance: Of that, by the same chance.
        unseen_variance: Of the drop on the unseen nodes, by the chance of which they are.
    """

    lost: float
    variance: float
    bits_lost: float
    bits_variance: float
    unseen_variance: float


Evidence = DropEvidence | ObservedDrop


@dataclass(frozen=True, eq=False)
class Observer:
    """Compares models with full precision on the validation nodes.

    Attributes:
        metric: What they are judged by.
        labels: Labels of the validation nodes.
        num_unseen: Number of test nodes.
        full: The metric of full precision, the mean of the fresh seeds.
        full_samples: The same on samples of the nodes.
    """

    metric: Metric
    labels: Tensor
    num_unseen: int
    full: float
    full_samples: Floats

    @classmethod
    def of(cls, metric: Metric, full: Sequence[Tensor], labels: Tensor, num_unseen: int) -> Self:
        """From what full precision of each fresh seed says of the validation nodes.

        Args:
            metric: What models are judged by.
            full: Outputs ``[n, K]`` in the units of the labels, one of each seed.
            labels: Labels ``[n]`` or ``[n, K]``.
            num_unseen: Number of test nodes.
        """
        scores = [score(metric, each, labels) for each in full]
        samples = [resampled_scores(metric, each, labels, count=_SAMPLES, seed=0) for each in full]
        return cls(metric, labels, num_unseen, statistics.fmean(scores), np.mean(samples, axis=0))

    def drop(self, twin: Tensor, own: Tensor) -> ObservedDrop:
        """What a model loses, and what bits alone cost it.

        Args:
            twin: Outputs ``[n, K]`` of its distilled twin on the validation nodes.
            own: Its own.
        """
        (twin_score, twins), (own_score, owns) = (self._scored(each) for each in (twin, own))
        # An error's drop is a share of full precision's on the same nodes.
        scales = 100 / (1.0 if self.metric.is_share else np.abs(self.full_samples))
        variance = _variance(scales * (self.full_samples - owns))
        return ObservedDrop(
            lost=self.metric.drop(self.full, own_score),
            variance=variance,
            bits_lost=self.metric.drop(self.full, self.full - twin_score + own_score),
            bits_variance=_variance(scales * (twins - owns)),
            unseen_variance=variance * self.labels.size(0) / max(1, self.num_unseen),
        )

    def _scored(self, outputs: Tensor) -> tuple[float, Floats]:
        own = score(self.metric, outputs, self.labels)
        return own, resampled_scores(self.metric, outputs, self.labels, count=_SAMPLES, seed=0)


def estimated(evidence: Sequence[Evidence], biases: Biases = BIASES) -> DropEstimate:
    """The mean drop from full precision of models that differ in their seed alone.

    The labels of the same validation nodes are in all of them, so that chance counts once.

    Args:
        evidence: Of each model.
        biases: What opinions are usually wrong by; accuracy has them.
    """
    observed = [each for each in evidence if isinstance(each, ObservedDrop)]
    if not observed:
        return DropEstimate.of([e for e in evidence if isinstance(e, DropEvidence)], biases)
    variance = REUSE * statistics.fmean(each.variance for each in observed)
    unseen = statistics.fmean(each.unseen_variance for each in observed)
    return DropEstimate(
        statistics.fmean(each.lost for each in observed), math.sqrt(variance + unseen)
    )


def estimated_of_bits(evidence: Sequence[Evidence]) -> DropEstimate:
    """The same of the drop from the distilled twin: what bits cost."""
    observed = [each for each in evidence if isinstance(each, ObservedDrop)]
    if not observed:
        return DropEstimate.of_bits([e for e in evidence if isinstance(e, DropEvidence)])
    variance = REUSE * statistics.fmean(each.bits_variance for each in observed)
    return DropEstimate(statistics.fmean(each.bits_lost for each in observed), math.sqrt(variance))


def _variance(samples: Floats) -> float:
    """Of samples on which the metric says something."""
    known = samples[np.isfinite(samples)]
    return float(known.var()) if known.size else 0.0
