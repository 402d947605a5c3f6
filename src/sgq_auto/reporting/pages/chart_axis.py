"""Axes of charts: where a value lies, and which values are labelled."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

# More labels than these would touch one another on a phone.
_MOST_TICKS = 6
_ROUND = MaxNLocator(_MOST_TICKS, steps=(1, 2, 5, 10))
# Sizes span a decade or two: of these, matplotlib's LogLocator labels one value, or twenty.
_LOG_MANTISSAS = (
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)
_MARGIN = 0.05


@dataclass(frozen=True)
class Tick:
    """A labelled value.

    Attributes:
        place: Where it lies, percent of the axis.
        text: Its label.
    """

    place: float
    text: str


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        label: What it shows, and in which unit.
        low: Its lowest value.
        high: Its highest value, above ``low``.
        is_log: Whether it has a log scale; ``low`` is positive then.
    """

    label: str
    low: float
    high: float
    is_log: bool = False

    @classmethod
    def around(cls, label: str, values: Iterable[float], *, is_log: bool = False) -> "Axis":
        """An axis with room for ``values`` and a margin."""
        found = list(values) or [1.0]
        low, high = min(found), max(found)
        if is_log:
            room = max((high / low) ** _MARGIN, 1.02)
            return cls(label, low / room, high * room, is_log=True)
        room = _MARGIN * (high - low) or 0.01 * abs(high) or 1.0
        return cls(label, low - room, high + room)

    def value(self, place: float) -> float:
        """What lies at a place, percent of the axis."""
        if self.is_log:
            return self.low * math.exp(math.log(self.high / self.low) * place / 100)
        return self.low + (self.high - self.low) * place / 100

    def place(self, value: float) -> float:
        """Where a value lies, percent of the axis; beyond its ends at the ends."""
        low, high, at = self.low, self.high, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, 1e-12))
        return round(100 * min(1.0, max(0.0, (at - low) / (high - low))), 2)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The labelled values, increasing: round numbers, few enough not to touch one another."""
        values = self._log_values() if self.is_log else self._linear_values()
        return tuple(Tick(self.place(value), f"{value:,.10g}") for value in values)

    def _linear_values(self) -> list[float]:
        ticks = map(float, _ROUND.tick_values(self.low, self.high))
        return [value for value in ticks if self.low <= value <= self.high]

    def _log_values(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for mantissas in _LOG_MANTISSAS:
            values = [m * 10.0**d for d in decades for m in mantissas]
            inside = [value for value in values if self.low <= value <= self.high]
            if len(inside) <= _MOST_TICKS:
                break
        # A range of less than a decade has few round numbers on a log scale.
        return inside if len(inside) > 2 else self._linear_values()


@dataclass(frozen=True)
class Slots:
    """An axis of equal places with a name each: not to scale, so that none hides another.

    Attributes:
        label: What the names are.
        names: The names, from left to right.
    """

    label: str
    names: tuple[str, ...]

    def place(self, slot: float) -> float:
        """Where the middle of a slot lies, percent of the axis; the first one is 0."""
        return round(100 * (slot + 0.5) / max(1, len(self.names)), 2)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The names at their places."""
        return tuple(Tick(self.place(slot), name) for slot, name in enumerate(self.names))
