"""What is known about allocations before any of them is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution

from sgq_auto.searching.space.pareto_front import Frame
from sgq_auto.searching.space.search_space import Positions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Facts about the allocations of one study.

    Attributes:
        sizes: Exact bytes ``[n]`` of ``[n, groups]`` ladder positions; ``None`` if unknown.
        expected_losses: What sensitivities predict for them, ``[n, losses]``; ``None`` if unknown.
        frame: The frame whose hypervolume is to grow; ``None`` takes what was seen so far.
        parameters: Names of the study's parameters in the order of the columns of positions;
            needed where sizes or losses are known.
        within: Whether ``[n, groups]`` positions keep bounds besides that of the frame, ``[n]``;
            ``None`` if there are none.
    """

    sizes: Callable[[Positions], NDArray[np.int64]] | None = None
    expected_losses: Callable[[Positions], Floats] | None = None
    frame: Frame | None = None
    parameters: tuple[str, ...] = ()
    within: Callable[[Positions], NDArray[np.bool_]] | None = None

    def __post_init__(self) -> None:
        """Check that columns have names where they need them."""
        if (self.sizes or self.expected_losses or self.within) and not self.parameters:
            raise ValueError(
                "Knowledge: sizes, expected_losses and within need the names of parameters"
            )

    def ordered(self, space: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
        """A search space in the order of the columns; Optuna sorts its own by name.

        Raises:
            ValueError: If its parameters are other ones.
        """
        if not self.parameters:
            return dict(space)
        if set(self.parameters) != set(space):
            raise ValueError(
                f"the sampler knows the parameters {', '.join(self.parameters)}; "
                f"the study has {', '.join(space)}"
            )
        return {name: space[name] for name in self.parameters}

    def num_bytes(self, positions: Positions) -> Floats | None:
        """Exact bytes ``[n]``; ``None`` if unknown."""
        return None if self.sizes is None else self.sizes(positions).astype(np.float64)

    def kept(self, positions: Positions) -> Positions:
        """Those of ``[n, groups]`` positions that keep the bounds."""
        if self.within is None or not len(positions):
            return positions
        kept: Positions = positions[self.within(positions)]
        return kept

    def kept_or_all(self, positions: Positions) -> NDArray[np.int64]:
        """The rows of ``[n, groups]`` positions that keep the bounds; all where none does."""
        everywhere = np.arange(len(positions))
        if self.within is None or not len(positions):
            return everywhere
        rows: NDArray[np.int64] = np.flatnonzero(self.within(positions))
        return rows if rows.size else everywhere

    def features(self, positions: Positions, num_bytes: Floats | None) -> Floats:
        """``[n, features]`` for a surrogate: positions, log bytes if known, expected losses."""
        columns = [positions.astype(np.float64)]
        if num_bytes is not None:
            columns.append(np.log(num_bytes)[:, None])
        if self.expected_losses is not None:
            columns.append(self.expected_losses(positions))
        return np.hstack(columns)
