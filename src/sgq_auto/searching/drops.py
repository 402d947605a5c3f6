"""What an allocation costs in accuracy, from few validation labels and many nodes without labels.

A few hundred validation nodes know a drop to about a percentage point. Full-precision models that
took no part have an opinion on every node: their class probabilities say how often quantization is
expected to turn a right prediction into a wrong one. That is precise but biased; validation nodes
say by how much. How far they are believed grows with their number. The idea is that of
prediction-powered inference (Angelopoulos et al., Science 2023), its correction shrunk.
"""

import torch
from torch import Tensor

from sgq_auto.graphs import Graph

# Validation nodes whose word counts half. Chosen on uniform and random allocations of eight of the
# twelve cells of ``benchmarks/paper_table.py``, by the error against test drops; 250 and 1,000 do
# about as well.
_NODES_OF_HALF_TRUST = 500


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
    bias = float(((actual - expected[val]) * weights).sum() / weights.sum())
    trust = val.numel() / (val.numel() + _NODES_OF_HALF_TRUST)
    return 100 * (float(expected[unlabelled].mean()) + trust * bias)


def _class_weights(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Weights of labelled nodes, so that classes count as they occur among all nodes.

    Validation nodes may be as many of each class where the graph's nodes are not.
    """
    counts = torch.bincount(labels, minlength=probabilities.size(1)).clamp(min=1)
    return (probabilities.mean(dim=0) / counts).index_select(0, labels)
