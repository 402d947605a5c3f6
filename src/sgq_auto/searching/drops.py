"""What an allocation costs in accuracy, from few validation labels and many nodes without labels.

A few hundred validation nodes know a drop to about a percentage point. Full-precision models that
took no part have an opinion on every node: their class probabilities say how often quantization is
expected to turn a right prediction into a wrong one. That is precise but biased. Validation nodes
say by how much, and are believed as far as chance allows. The idea is that of prediction-powered
inference (Angelopoulos et al., Science 2023), its correction shrunk towards none.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

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
    """What is known of one model's drop from full precision without test labels.

    Attributes:
        expected: The drop that the models without part expect on all nodes that are not trained
            on, percentage points.
        correction: How much more was lost on the validation nodes than they expect there,
            percentage points, classes weighted as they occur among all nodes.
        variance: Of the correction, by the chance of which nodes are validation nodes.
        changed: Predictions that quantization changed, per cent of the nodes not trained on.
    """

    expected: float
    correction: float
    variance: float
    changed: float


def estimate_drop(evidence: Sequence[DropEvidence]) -> float:
    """Mean drop of models that differ in their seed alone, percentage points.

    The labels of the same validation nodes correct them all, so that chance counts once.
    """
    expected, correction, variance, changed = (
        statistics.fmean(getattr(one, name) for one in evidence)
        for name in ("expected", "correction", "variance", "changed")
    )
    bias = (BIAS_PER_CHANGE * changed) ** 2
    trust = bias / (bias + variance) if bias > 0 else 0.0
    return expected + trust * correction


def drop_evidence(
    reference: Tensor, full_precision: Tensor, quantized: Tensor, graph: Graph
) -> DropEvidence:
    """What validation labels and models without part know of a drop.

    Args:
        reference: Mean class probabilities ``[N, classes]`` of full-precision models that are
            neither compared here nor taught the quantized one.
        full_precision: Logits ``[N, classes]`` at full precision.
        quantized: Logits ``[N, classes]`` of the quantized model.
        graph: The graph. Only its validation labels are read.
    """
    before, after = full_precision.argmax(dim=1), quantized.argmax(dim=1)
    nodes = torch.arange(len(reference), device=reference.device)
    untrained = torch.ones_like(nodes, dtype=torch.bool)
    untrained[graph.train.nodes] = False
    reference = reference.double()
    right_before, right_after = reference[nodes, before], reference[nodes, after]
    expected = right_before - right_after

    val, labels = graph.val.nodes, graph.val.labels
    weights = _class_weights(reference[val], labels, reference[untrained].mean(dim=0))
    surprise = (before[val] == labels).double() - (after[val] == labels).double() - expected[val]
    correction = (surprise * weights).sum()
    observed = (weights * (surprise - correction)).square().sum()
    # A node's drop is -1, 0 or 1. Few nodes may show too little of it: what models see counts too.
    changed = (before != after)[untrained].double()
    of_node = (right_before + right_after - expected.square())[untrained] * changed
    foreseen = of_node.mean() * weights.square().sum()
    return DropEvidence(
        expected=100 * float(expected[untrained].mean()),
        correction=100 * float(correction),
        variance=100**2 * float(torch.maximum(observed, foreseen)),
        changed=100 * float(changed.mean()),
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
