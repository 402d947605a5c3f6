"""Tables whose cells are coloured: bits by site, and what each group loses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sgq_auto.graphs import Graph
from sgq_auto.packed.allocation import Site
from sgq_auto.searching.measuring.sensitivity import Sensitivities
from sgq_auto.searching.space.search_space import SearchSpace

# Below a thousandth nothing is lost.
_LEAST_LOSS = 1e-3


@dataclass(frozen=True)
class BitsCell:
    """A site in the heat map.

    Attributes:
        site: Its place in the order of sites; ``None`` where its bits are not searched.
        span: Columns that it takes.
    """

    site: int | None
    span: int


@dataclass(frozen=True)
class BitsMap:
    """Layout of a heat map of bits: a row a component of a layer, a column a degree bucket.

    Attributes:
        columns: Headings, and how many nodes each bucket has.
        rows: Name of the layer's component, and its cells.
        ladder: The bit-widths.
    """

    columns: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, tuple[BitsCell, ...]], ...]
    ladder: tuple[int, ...]

    @classmethod
    def of(cls, sites: Sequence[Site], space: SearchSpace, graph: Graph) -> "BitsMap":
        """The layout for a model on a graph.

        Args:
            sites: Every site, in the order in which bits are given.
            space: Which of them are searched.
            graph: The graph.
        """
        searched = {site for name in space.searched for site in space.groups[name]}
        rows: dict[str, list[BitsCell]] = {}
        for place, site in enumerate(sites):
            span = 1 if site.bucket is not None else len(graph.bucket_nodes)
            cell = BitsCell(place if site in searched else None, span)
            rows.setdefault(f"{site.layer}.{site.component}", []).append(cell)
        columns = zip(_degrees(graph.split_points), graph.bucket_nodes, strict=True)
        return cls(
            tuple(columns), tuple((name, tuple(row)) for name, row in rows.items()), space.ladder
        )


@dataclass(frozen=True)
class LossTable:
    """Increase of the validation loss where one group alone has few bits.

    Attributes:
        ladder: The bit-widths.
        rows: Name of the group, and for each bit-width the loss in words and its depth of colour,
            0..1.
    """

    ladder: tuple[int, ...]
    rows: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]

    @classmethod
    def of(cls, sensitivities: Sensitivities) -> "LossTable":
        """The table of a study's sensitivities, deeper colours for larger losses (log scale)."""
        losses = sensitivities.monotone
        span = math.log(max(10.0, float(losses.max()) / _LEAST_LOSS))

        def depth(loss: float) -> float:
            return round(math.log(max(loss / _LEAST_LOSS, 1.0)) / span, 3)

        return cls(
            sensitivities.ladder,
            tuple(
                (group, tuple((_loss(loss), depth(loss)) for loss in row))
                for group, row in zip(sensitivities.groups, losses.tolist(), strict=True)
            ),
        )


def _loss(loss: float) -> str:
    return "0" if loss < _LEAST_LOSS / 2 else f"{loss:.3f}" if loss < 10 else f"{loss:.3g}"


def _degrees(split_points: Sequence[int]) -> list[str]:
    """The degrees of each bucket, like ``0-4`` and ``17+``."""
    if not split_points:
        return ["all"]
    lows = [0, *(point + 1 for point in split_points)]
    inner = [
        f"{low}-{high}" if low < high else str(high)
        for low, high in zip(lows, split_points, strict=False)
    ]
    return [*inner, f"{lows[-1]}+"]
