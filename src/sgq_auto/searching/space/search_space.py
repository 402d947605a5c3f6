"""The search space: which sites share bits, and which bits a search may choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import IntDistribution

from sgq_auto.errors import InputError
from sgq_auto.packed import FootprintModel, Objective
from sgq_auto.packed.allocation import BitAllocation, Site

Positions = NDArray[np.int64]
"""``[n, parameters]`` positions on a grid; bit-widths are positions on the ladder."""


class Granularity(StrEnum):
    """Which sites share bits (SGQuant, arXiv 2007.05100, sections IV-B to IV-D)."""

    UNIFORM = "uniform"
    LWQ = "lwq"
    CWQ = "cwq"
    TAQ = "taq"
    LWQ_CWQ = "lwq_cwq"
    LWQ_CWQ_TAQ = "lwq_cwq_taq"

    def group(self, site: Site) -> str:
        """The name of the bits that ``site`` shares with others of its group."""
        match self:
            case Granularity.UNIFORM:
                return "all"
            case Granularity.LWQ:
                return site.layer
            case Granularity.CWQ:
                return str(site.component)
            case Granularity.TAQ:
                return str(site.component) if site.bucket is None else f"bucket{site.bucket}"
            case Granularity.LWQ_CWQ:
                return f"{site.layer}.{site.component}"
            case Granularity.LWQ_CWQ_TAQ:
                return str(site)


@dataclass(frozen=True)
class SearchSpace:
    """Ordinal bit parameters over a ladder, one for each group of sites.

    Attributes:
        groups: Sites of each group of the granularity.
        searched: Names of the groups whose bits are searched. The others are exact or change no
            byte of the objective or of another bounded figure (GCN's adjacency follows from the
            degrees; an empty bucket has no codes); those take the highest width.
        ladder: The allowed bit-widths, increasing.
        exact: Names of groups whose values are the same at any bits; they take the lowest width.
    """

    groups: Mapping[str, tuple[Site, ...]]
    searched: tuple[str, ...]
    ladder: tuple[int, ...]
    exact: frozenset[str] = frozenset()

    @classmethod
    def build(
        cls,
        footprints: FootprintModel,
        granularity: Granularity,
        ladder: Sequence[int],
        objective: Objective,
        bounded: Sequence[Objective] = (),
    ) -> "SearchSpace":
        """The space of one model on one graph.

        Args:
            footprints: Sizes of the model.
            granularity: Which sites share bits.
            ladder: The allowed bit-widths, increasing.
            objective: What is minimised.
            bounded: Other figures that have a bound.
        """
        groups: dict[str, list[Site]] = {}
        for site in footprints.sites():
            groups.setdefault(granularity.group(site), []).append(site)
        exact_sites = footprints.exact_sites()
        exact = frozenset(name for name, sites in groups.items() if exact_sites.issuperset(sites))
        space = cls({k: tuple(v) for k, v in groups.items()}, tuple(groups), tuple(ladder), exact)
        top = len(space.ladder) - 1
        figures = [objective, *bounded]

        def cost(indices: Mapping[str, int]) -> list[int]:
            packed = footprints.packed(space.allocation(indices))
            return [packed.figure(figure) for figure in figures]

        smallest, largest = dict.fromkeys(groups, 0), dict.fromkeys(groups, top)
        least, most = cost(smallest), cost(largest)

        def changes_size(name: str) -> bool:
            if cost({**smallest, name: top}) != least:
                return True
            # A small buffer of the arena may count only beside large ones, which share its place.
            return Objective.RAM_BYTES in figures and cost({**largest, name: 0}) != most

        # With a one-step ladder nothing changes a byte; keep every group then.
        searched = [n for n in groups if top == 0 or (n not in exact and changes_size(n))]
        return replace(space, searched=tuple(searched))

    def allocation(self, indices: Mapping[str, int]) -> BitAllocation:
        """The allocation of ladder positions by group; see ``exact`` for groups left out.

        Raises:
            InputError: If a position is not on the ladder.
        """
        wrong = [name for name, index in indices.items() if not 0 <= index < len(self.ladder)]
        if wrong:
            place = indices[wrong[0]]
            raise InputError(f"{wrong[0]}: {place} is no position on the ladder {self.ladder}")
        left_out = {name: 0 if name in self.exact else -1 for name in self.groups}
        return BitAllocation(
            {
                site: self.ladder[indices.get(name, left_out[name])]
                for name, sites in self.groups.items()
                for site in sites
            }
        )

    def positions(self, params: Mapping[str, int]) -> list[int]:
        """Ladder positions in the order of ``searched``.

        Raises:
            InputError: If a group has none.
        """
        missing = [name for name in self.searched if name not in params]
        if missing:
            raise InputError(f"{missing[0]}: its bits are not given")
        return [params[name] for name in self.searched]

    def params(self, positions: Sequence[int]) -> dict[str, int]:
        """Parameters of ladder positions in the order of ``searched``."""
        return dict(zip(self.searched, positions, strict=True))

    def distributions(self) -> dict[str, IntDistribution]:
        """Optuna's view: positions on the ladder, which order bit-widths evenly."""
        return {name: IntDistribution(0, len(self.ladder) - 1) for name in self.searched}

    def uniform(self) -> list[dict[str, int]]:
        """Parameters of the allocations that give every searched group the same bits."""
        top = len(self.ladder) - 1
        return [dict.fromkeys(self.searched, index) for index in range(top, -1, -1)]

    def smallest(self) -> BitAllocation:
        """The allocation with the fewest bits everywhere."""
        return self.allocation(dict.fromkeys(self.searched, 0))
