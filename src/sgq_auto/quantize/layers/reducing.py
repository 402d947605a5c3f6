"""What twins share that take several numbers of a node's neighbours."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation
from sgq_auto.packed.runtime.neighbor_reductions import SMALLEST_VARIANCE, Reduction
from sgq_auto.quantize.layers.fixed_layer import FixedLayer, neighbor_matrix

_KNOWN = {str(reduction): reduction for reduction in Reduction} | {"add": Reduction.SUM}


class ReducingLayer(FixedLayer):
    """A layer that takes sums, means, extremes or spreads of its neighbours' rows."""

    def reduced(
        self, adj_t: CsrPattern, nodes: Tensor, reductions: Sequence[Reduction]
    ) -> list[Tensor]:
        """Each reduction of ``nodes`` ``[N, features]`` over neighbours; 0 without any."""
        degrees = (adj_t.rowptr.diff() - 1).clamp(min=1).unsqueeze(1)
        return [self._reduced(adj_t, nodes, reduction, degrees) for reduction in reductions]

    def _reduced(
        self, adj_t: CsrPattern, nodes: Tensor, reduction: Reduction, degrees: Tensor
    ) -> Tensor:
        if reduction is Reduction.SUM:
            return self.gather(adj_t, nodes)
        if reduction is Reduction.MEAN:
            return self.gather(adj_t, nodes) / degrees
        if reduction is Reduction.MAX:
            return adj_t.without_loops.row_max(nodes)
        if reduction is Reduction.MIN:
            return -adj_t.without_loops.row_max(-nodes)
        squares = self.gather(adj_t, nodes * nodes) / degrees
        variance = squares - (self.gather(adj_t, nodes) / degrees) ** 2
        if reduction is Reduction.VAR:
            return variance
        deviation = variance.clamp(min=SMALLEST_VARIANCE).sqrt()
        return deviation.masked_fill(variance <= SMALLEST_VARIANCE, 0.0)

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """What sums up a node's neighbours; nothing of it is quantized."""
        return neighbor_matrix(adj_t, Aggregation.SUM, dtype)


def known_reductions(aggregation: Any) -> tuple[Reduction, ...] | None:
    """What PyG calls its aggregation, one name or several; ``None`` if one is not known."""
    names = [aggregation] if isinstance(aggregation, str) else aggregation
    if not isinstance(names, list | tuple) or not names:
        return None
    if any(not isinstance(name, str) or name not in _KNOWN for name in names):
        return None
    found = tuple(_KNOWN[name] for name in names)
    return found if len(set(found)) == len(found) else None
