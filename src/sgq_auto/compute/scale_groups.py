"""Scale groups: the rows of a tensor that share a range of codes, one run of rows each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ScaleGroups:
    """Which rows of a tensor share a range.

    Attributes:
        ends: ``int64 [groups]``, where each group ends among the rows sorted by group.
        order: ``int64 [rows]``, the rows sorted by group; ``None`` where they are sorted.
        rows: How many rows there are.
        shared: Whether other graphs have the same ranges. A group without a row here may have
            some there, and is given the range of the nearest group that has rows.
    """

    ends: Tensor
    order: Tensor | None
    rows: int
    shared: bool = False

    @classmethod
    def of(
        cls,
        sizes: Sequence[int],
        device: torch.device,
        order: Tensor | None = None,
        *,
        shared: bool = False,
    ) -> Self:
        """From the number of rows of each group.

        Args:
            sizes: Rows of each group.
            device: Where its tensors are.
            order: The rows sorted by group, where they are not.
            shared: Whether other graphs have the same ranges.
        """
        ends = torch.tensor(sizes, dtype=torch.int64, device=device).cumsum(0)
        return cls(ends, order, sum(sizes), shared)
