"""What an allocation costs in accuracy, from few validation labels and many nodes without labels.

A few hundred validation nodes know a drop to about a percentage point. Full-precision models of
other seeds have an opinion on every node: their class probabilities say how often quantization
is expected to turn a right prediction into a wrong one. That is precise but biased; validation
nodes say by how much. How far they are believed grows with their number. The idea is that of
prediction-powered inference (Angelopoulos et al., Science 2023), its correction shrunk.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgq_auto.graphs import Graph

# Validation nodes whose word counts as much as that of the full-precision models.
_NODES_OF_EQUAL_WEIGHT = 500


@dataclass(frozen=True)
class ExpectedDrop:
    """Accuracy that full-precision models of other seeds expect to be lost, percentage points.

    Attributes:
        unlabelled: Over all nodes but the training nodes.
        val: Over the validation nodes.
    """

    unlabelled: float
    val: float


def expected_drop(
    judges: Tensor, full_precision: Tensor, quantized: Tensor, graph: Graph
) -> ExpectedDrop:
    """The drop that models of other seeds expect; no label is read.

    Args:
        judges: Mean class probabilities ``[N, classes]`` of full-precision models that are neither
            of the two compared.
        full_precision: Logits ``[N, classes]`` at full precision.
        quantized: Logits ``[N, classes]`` of the quantized model.
        graph: The graph, whose training nodes are left out.
    """
    before, after = (
        judges.gather(1, logits.argmax(dim=1, keepdim=True)).squeeze(1)
        for logits in (full_precision, quantized)
    )
    lost = 100 * (before - after)
    unlabelled = torch.ones_like(lost, dtype=torch.bool)
    unlabelled[graph.train.nodes] = False
    return ExpectedDrop(float(lost[unlabelled].mean()), float(lost[graph.val.nodes].mean()))


def estimated_drop(val_drop: float, expected: ExpectedDrop, num_val: int) -> float:
    """The drop on unseen nodes, percentage points.

    Args:
        val_drop: Drop on the validation nodes, percentage points.
        expected: What full-precision models expect.
        num_val: Number of validation nodes; with many of them the estimate is unbiased.
    """
    trust = num_val / (num_val + _NODES_OF_EQUAL_WEIGHT)
    return expected.unlabelled + trust * (val_drop - expected.val)
