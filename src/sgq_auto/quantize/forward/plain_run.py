"""A plain model of PyG, called as its forward pass takes a graph."""

from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.quantize.forward.forward_signature import Signature


def run_plain(
    model: nn.Module,
    x: Tensor,
    edge_index: Tensor,
    edge_attr: Tensor | None = None,
    batch: Tensor | None = None,
) -> Any:
    """What a plain PyG model returns, as it is.

    Args:
        model: The model.
        x: Features ``[N, F]``.
        edge_index: Edges ``[2, E]``.
        edge_attr: Weights of the edges, ``[E]`` or ``[E, 1]``, or their features ``[E, columns]``,
            if they have some.
        batch: The graph of each node ``[N]``, for a model that predicts graphs.
    """
    is_weight = edge_attr is not None and (edge_attr.dim() == 1 or edge_attr.size(1) == 1)
    weights = edge_attr.reshape(-1) if edge_attr is not None and is_weight else None
    given = x, edge_index, weights, edge_attr, batch
    by_position, by_name = Signature.of(model).arguments(*given)
    with torch.no_grad():
        return model(*by_position, **by_name)
