"""What an allocation costs in accuracy, from few validation labels and many nodes without labels.

With a few hundred validation nodes a drop is uncertain by more than a percentage point.
Full-precision models that took no part have an opinion on every node: their class probabilities say
how often quantization is expected to turn a right prediction into a wrong one. That is precise but
biased. Validation nodes say by how much, and are believed as far as chance allows. The idea is that
of prediction-powered inference (Angelopoulos et al., Science 2023), its correction shrunk towards
what is usual.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from sgq_auto.graphs import Graph

# Singular values of what the models say of each class, below this share of the largest, are noise.
_SMALLEST_SINGULAR_VALUE = 0.1
# Keeps a step that changes nothing from being divided by.
_TINY = 1e-12


@dataclass(frozen=True)
class Bias:
    """What the opinions of models without part are usually wrong by, per prediction that changes.

    Attributes:
        usual: Drop less what opinions expect, as a share of the changed predictions.
        spread: One standard deviation of that share from graph to graph.
    """

    usual: float
    spread: float


@dataclass(frozen=True)
class Biases:
    """The bias of opinions in both steps."""

    taught: Bias
    bits: Bias


# Chosen on studies of ``benchmarks/trust.py``, which also reports them with each graph left out,
# with a look at one default search of the embedded Cora.
BIASES = Biases(taught=Bias(-0.17, 0.13), bits=Bias(-0.08, 0.13))
# The validation labels were used before: they chose epochs, settings and allocations. They are
# believed as if there were so many times fewer of them. Chosen on the same
# searches, and not yet reported on graphs that took no part.
REUSE = 3.0


@dataclass(frozen=True)
class StepEvidence:
    """What is known, without test labels, of what one step from a model to another loses.

    Attributes:
        expected: The drop that the models without part expect on all nodes that are not trained
            on, percentage points.
        correction: How much more was lost on the validation nodes than they expect there,
            percentage points, classes weighted as they occur among all nodes.
        variance: Of the correction, by the chance of which nodes are validation nodes.
        changed: Predictions that differ, per cent of the nodes not trained on.
    """

    expected: float
    correction: float
    variance: float
    changed: float


@dataclass(frozen=True)
class DropEvidence:
    """What is known of a model's drop from full precision without test labels, in two steps.

    What teaching changes and what few bits change is biased differently: a student of several
    models is usually better than one of them, and opinions see little of it.

    Attributes:
        taught: From full precision to its twin that was distilled at full precision.
        bits: From the twin to the model.
        covariance: Of the two corrections, by the chance of which nodes are validation nodes.
        unseen_variance: Of the whole drop on the test nodes, by the chance of their labels.
    """

    taught: StepEvidence
    bits: StepEvidence
    covariance: float
    unseen_variance: float


@dataclass(frozen=True)
class DropEstimate:
    """A drop on unseen nodes as far as it is known: a normal distribution.

    Attributes:
        mean: Percentage points.
        std: Its standard deviation: of the labels that validation nodes have by chance, of the
            bias of opinions, and of the labels of the unseen nodes.
    """

    mean: float
    std: float

    @classmethod
    def of(cls, evidence: Sequence[DropEvidence], biases: Biases = BIASES) -> "DropEstimate":
        """The mean drop from full precision of models that differ in their seed alone.

        The labels of the same validation nodes correct them all, so that chance counts once.

        Args:
            evidence: Of each model.
            biases: What opinions are usually wrong by.
        """
        steps = [_mean_step([each.taught for each in evidence])]
        steps.append(_mean_step([each.bits for each in evidence]))
        covariance = statistics.fmean(each.covariance for each in evidence)
        mean, variance = _posterior(steps, covariance, (biases.taught, biases.bits))
        unseen = statistics.fmean(each.unseen_variance for each in evidence)
        return cls(mean, math.sqrt(variance + unseen))

    @classmethod
    def of_bits(cls, evidence: Sequence[DropEvidence]) -> "DropEstimate":
        """The same of the drop from the distilled twin: what bits cost."""
        step = _mean_step([each.bits for each in evidence])
        mean, variance = _posterior([step], 0.0, (BIASES.bits,))
        return cls(mean, math.sqrt(variance))

    def at_most(self, confidence: float) -> float:
        """The drop that is not exceeded with this probability, percentage points."""
        return self.mean + NormalDist().inv_cdf(confidence) * self.std

    def interval(self, confidence: float) -> tuple[float, float]:
        """The interval around the mean that has the drop with this probability."""
        half = NormalDist().inv_cdf((1 + confidence) / 2) * self.std
        return self.mean - half, self.mean + half

    def probability_within(self, drop: float) -> float:
        """Probability that at most ``drop`` percentage points are lost."""
        if self.std == 0:
            return float(self.mean <= drop + 1e-9)
        return NormalDist(self.mean, self.std).cdf(drop)


def answers(logits: Sequence[Tensor]) -> Tensor:
    """Of each node, the share of models that answer each class: float64 ``[N, classes]``."""
    votes = [torch.nn.functional.one_hot(each.argmax(dim=1), each.size(1)) for each in logits]
    return torch.stack(votes).double().mean(dim=0)


def drop_evidence(
    reference: Tensor, full: Tensor, twin: Tensor, own: Tensor, graph: Graph, num_unseen: int
) -> DropEvidence:
    """What validation labels and models without part know of a model's drop.

    Args:
        reference: Mean class probabilities ``[rows, classes]`` of full-precision models that are
            neither compared here nor taught the quantized one. The first rows are the graph's;
            those of graphs that are only tested may follow.
        full: What full precision answers, from :func:`answers`, ``[rows, classes]``.
        twin: The same of its distilled twin.
        own: The same of the model.
        graph: The graph. Only its validation labels are read.
        num_unseen: Number of test nodes.
    """
    untrained = torch.ones(len(reference), dtype=torch.bool, device=reference.device)
    untrained[graph.train.nodes] = False
    reference, val, labels = reference.double(), graph.val.nodes, graph.val.labels
    weights = _class_weights(reference[val], labels, reference[untrained].mean(dim=0))
    taught, bits, whole = (
        _Step.of(reference, before - after, untrained, graph, weights)
        for before, after in ((full, twin), (twin, own), (full, own))
    )
    return DropEvidence(
        taught=taught.evidence,
        bits=bits.evidence,
        # The variance of a sum tells the covariance of its parts.
        covariance=(whole.evidence.variance - taught.evidence.variance - bits.evidence.variance)
        / 2,
        unseen_variance=100**2 * whole.spread / max(1, num_unseen),
    )


@dataclass(frozen=True)
class _Step:
    """Evidence of a step, and how much a node's drop varies with its unknown label."""

    evidence: StepEvidence
    spread: float

    @classmethod
    def of(
        cls, reference: Tensor, lost: Tensor, untrained: Tensor, graph: Graph, weights: Tensor
    ) -> "_Step":
        """From what is lost of each class, ``[N, classes]``."""
        expected = (reference * lost).sum(dim=1)
        # A node's drop is -1 to 1, and depends on its class, which the models believe to know.
        spread = float(((reference * lost.square()).sum(1) - expected.square())[untrained].mean())
        val, labels = graph.val.nodes, graph.val.labels
        surprise = lost[val].gather(1, labels[:, None])[:, 0] - expected[val]
        correction = (surprise * weights).sum()
        observed = float((weights * (surprise - correction)).square().sum())
        # Few nodes may show too little of it: what models foresee counts too.
        variance = max(observed, spread * float(weights.square().sum()))
        evidence = StepEvidence(
            expected=100 * float(expected[untrained].mean()),
            correction=100 * float(correction),
            variance=100**2 * variance,
            changed=50 * float(lost[untrained].abs().sum(dim=1).mean()),
        )
        return cls(evidence, spread)


def _mean_step(steps: Sequence[StepEvidence]) -> StepEvidence:
    names = ("expected", "correction", "variance", "changed")
    means = [statistics.fmean(getattr(step, name) for step in steps) for name in names]
    return StepEvidence(*means)


def _posterior(
    steps: Sequence[StepEvidence], covariance: float, biases: Sequence[Bias]
) -> tuple[float, float]:
    """Mean and variance of what all steps lose together, percentage points.

    The biases of opinions are normal beforehand; corrections are biases seen with noise.
    """
    pairs = list(zip(steps, biases, strict=True))
    usual = np.array([bias.usual * step.changed for step, bias in pairs])
    prior = np.diag([(bias.spread * step.changed) ** 2 for step, bias in pairs])
    noise = np.diag([REUSE * step.variance + _TINY for step in steps])
    if len(steps) == 2:
        # No more than what the two variances allow.
        most = 0.99 * math.sqrt(noise[0, 0] * noise[1, 1])
        noise[0, 1] = noise[1, 0] = min(most, max(-most, REUSE * covariance))
    seen = np.array([step.correction for step in steps])
    gain = prior @ np.linalg.inv(prior + noise)
    found = usual + gain @ (seen - usual)
    left = prior - gain @ prior
    mean = sum(step.expected for step in steps) + float(found.sum())
    return mean, max(0.0, float(left.sum()))


def _class_weights(opinions: Tensor, labels: Tensor, mean_opinion: Tensor) -> Tensor:
    """Weights of labelled nodes, of sum 1, so that classes count as they occur among all nodes.

    Validation nodes may be as many of each class where the graph's nodes are not. How many there
    are is told by the models' mean opinion on all nodes and by their opinions on nodes of each
    class (black box shift estimation, Lipton et al. 2018). What chance may have made of it is taken
    back (James and Stein 1961): a random choice of validation nodes stays as it is.

    Args:
        opinions: Class probabilities ``[labelled, classes]``.
        labels: Their classes.
        mean_opinion: Mean class probabilities ``[classes]`` of all nodes.
    """
    counts = torch.bincount(labels, minlength=opinions.size(1)).to(opinions)
    sums = opinions.new_zeros(len(counts), len(counts)).index_add_(0, labels, opinions)
    of_class = (sums / counts.clamp(min=1)[:, None]).t()
    shares_from = torch.linalg.pinv(of_class, rtol=_SMALLEST_SINGULAR_VALUE)
    seen = opinions.mean(dim=0)
    surplus = shares_from @ (mean_opinion - seen)
    chance = ((opinions - seen) @ shares_from.t()).square().sum() / len(labels) ** 2
    surplus = surplus * (1 - chance / surplus.square().sum().clamp(min=1e-30)).clamp(min=0)
    shares = (counts / len(labels) + surplus).clamp(min=0)
    weights: Tensor = (shares / counts.clamp(min=1)).index_select(0, labels)
    return weights / weights.sum()
