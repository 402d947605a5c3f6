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

import torch
from torch import Tensor

from sgq_auto.graphs import Graph

# One standard deviation of the bias of opinions, as a share of the predictions that changed. Chosen
# on points of five cells of ``benchmarks/paper_table.py`` (GCN and GAT on Cora, GCN and AGNN on
# CiteSeer, GAT on PubMed) by the error against test drops; 0.2 and 0.3 do about as well.
BIAS_PER_CHANGE = 0.25
# Singular values of what the models say of each class, below this share of the largest, are noise.
_SMALLEST_SINGULAR_VALUE = 0.1


@dataclass(frozen=True)
class DropEvidence:
    """What is known of a model's drop from other ones without test labels.

    Attributes:
        expected: The drop that the models without part expect on all nodes that are not trained
            on, percentage points.
        correction: How much more was lost on the validation nodes than they expect there,
            percentage points, classes weighted as they occur among all nodes.
        variance: Of the correction, by the chance of which nodes are validation nodes.
        changed: Predictions that differ, per cent of the nodes not trained on.
        unseen_variance: Of the drop on the test nodes, by the chance of what their labels are.
    """

    expected: float
    correction: float
    variance: float
    changed: float
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
    def of(cls, evidence: Sequence[DropEvidence]) -> "DropEstimate":
        """The mean drop of models that differ in their seed alone.

        The labels of the same validation nodes correct them all, so that chance counts once.
        """
        expected, correction, variance, changed, unseen = (
            statistics.fmean(getattr(one, name) for one in evidence)
            for name in ("expected", "correction", "variance", "changed", "unseen_variance")
        )
        bias = (BIAS_PER_CHANGE * changed) ** 2
        trust = bias / (bias + variance) if bias > 0 else 0.0
        # What is left of the bias after so many labels were seen.
        left = trust * variance
        return cls(expected + trust * correction, math.sqrt(left + unseen))

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
    reference: Tensor, before: Tensor, after: Tensor, graph: Graph, num_unseen: int
) -> DropEvidence:
    """What validation labels and models without part know of a drop.

    Args:
        reference: Mean class probabilities ``[N, classes]`` of full-precision models that are
            neither compared here nor taught the quantized one.
        before: What the models that it is a drop from answer, from :func:`answers`.
        after: What the model itself answers.
        graph: The graph. Only its validation labels are read.
        num_unseen: Number of test nodes.
    """
    untrained = torch.ones(len(reference), dtype=torch.bool, device=reference.device)
    untrained[graph.train.nodes] = False
    reference, lost = reference.double(), before - after
    expected = (reference * lost).sum(dim=1)
    # A node's drop is -1 to 1, and depends on its class, which the models believe to know.
    spread = (reference * lost.square()).sum(dim=1) - expected.square()

    val, labels = graph.val.nodes, graph.val.labels
    weights = _class_weights(reference[val], labels, reference[untrained].mean(dim=0))
    surprise = lost[val].gather(1, labels[:, None])[:, 0] - expected[val]
    correction = (surprise * weights).sum()
    observed = (weights * (surprise - correction)).square().sum()
    # Few nodes may show too little of it: what models foresee counts too.
    foreseen = spread[untrained].mean() * weights.square().sum()
    changed = 0.5 * lost[untrained].abs().sum(dim=1).mean()
    return DropEvidence(
        expected=100 * float(expected[untrained].mean()),
        correction=100 * float(correction),
        variance=100**2 * float(torch.maximum(observed, foreseen)),
        changed=100 * float(changed),
        unseen_variance=100**2 * float(spread[untrained].mean()) / max(1, num_unseen),
    )


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
