"""Charts as values: where everything lies in percent, so that a chart is as wide as its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sgq_auto.reporting.pages.chart_axis import Axis, Slots

Place = tuple[float, float]


class MarkKind(StrEnum):
    """What a mark stands for; each has a shape of its own."""

    TRIAL = "trial"
    FRONT = "front"
    CONFIRMED = "confirmed"
    RECOMMENDED = "recommended"
    BOUND = "bound"
    TEST = "test"


@dataclass(frozen=True)
class Mark:
    """A point of a chart.

    Attributes:
        kind: What it stands for.
        x: Percent from the left.
        y: Percent from the top.
        text: What hovering shows, lines apart.
        trial: The trial that a click takes, if any.
        whisker: Its spread, as two heights in percent from the top.
        color: Index of its colour.
    """

    kind: MarkKind
    x: float
    y: float
    text: str
    trial: int | None = None
    whisker: tuple[float, float] | None = None
    color: int = 0


@dataclass(frozen=True)
class Curve:
    """A line through points.

    Attributes:
        points: Places in percent, from the left and from the top.
        name: Its entry in the legend.
        color: Index of its colour.
    """

    points: tuple[Place, ...]
    name: str
    color: int = 0


@dataclass(frozen=True)
class Band:
    """The area between two lines, given as its outline.

    Attributes:
        points: Places in percent, from the left and from the top.
        color: Index of its colour.
        name: Its entry in the legend.
    """

    points: tuple[Place, ...]
    color: int = 0
    name: str = ""


@dataclass(frozen=True)
class Label:
    """Words above a chart, where they cover nothing.

    Attributes:
        place: Percent from the left of what they are about.
        text: The words.
    """

    place: float
    text: str


@dataclass(frozen=True)
class Level:
    """A line from edge to edge.

    Attributes:
        place: Percent from the left where it is upright, else from the top.
        name: Its entry in the legend.
        is_upright: Whether it runs from top to bottom.
        color: Index of its colour.
    """

    place: float
    name: str
    is_upright: bool = False
    color: int = 0


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: What it shows, for those who cannot see it.
        x: The axis from left to right.
        y: The axis from bottom to top.
        marks: Points, later ones on top.
        curves: Lines.
        bands: Areas.
        levels: Lines from edge to edge.
        label: Words above it.
        note: Words at the end of the legend.
        kind_names: What the legend calls a kind of marks; else the kind's own name.
    """

    title: str
    x: Axis | Slots
    y: Axis
    marks: tuple[Mark, ...] = ()
    curves: tuple[Curve, ...] = ()
    bands: tuple[Band, ...] = ()
    levels: tuple[Level, ...] = ()
    label: Label | None = None
    note: str = ""
    kind_names: Mapping[MarkKind, str] = field(default_factory=dict)

    @property
    def has_slots(self) -> bool:
        """Whether its lower axis is a row of names."""
        return isinstance(self.x, Slots)

    @property
    def kinds(self) -> tuple[tuple[MarkKind, str, int], ...]:
        """The kinds of its marks with their names and colours, for the legend."""
        kinds = dict.fromkeys((mark.kind, mark.color) for mark in self.marks)
        return tuple((kind, self.kind_names.get(kind, kind), color) for kind, color in kinds)


def steps(x: Axis, y: Axis, points: Sequence[tuple[float, float]]) -> tuple[Place, ...]:
    """A front as a staircase: from each point to the right, until the next one is better.

    Args:
        x: The axis of sizes.
        y: The axis of accuracies.
        points: ``(size, accuracy)`` pairs, smallest first.

    Returns:
        Places in percent, from the left and from the top; the last step ends at the right edge.
    """
    places: list[Place] = []
    for size, accuracy in points:
        left, top = x.place(size), 100 - y.place(accuracy)
        if places:
            places.append((left, places[-1][1]))
        places.append((left, top))
    return (*places, (100.0, places[-1][1])) if places else ()
