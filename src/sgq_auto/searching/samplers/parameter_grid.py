"""Parameters of any Optuna search space as positions on a grid."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from sgq_auto.searching.space.search_space import Positions

# Steps that a continuous range is cut into.
_STEPS = 1024


@dataclass(frozen=True)
class Grid:
    """A search space of named parameters, each with a number of positions.

    Attributes:
        space: The distributions, in order.
    """

    space: Mapping[str, BaseDistribution]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``int64 [parameters]`` positions of each parameter."""
        return np.array([_size(d) for d in self.space.values()], dtype=np.int64)

    def decode(self, positions: NDArray[np.int64]) -> dict[str, Any]:
        """Parameters of a trial at ``[parameters]`` positions; :meth:`encode` undoes it."""
        items = zip(self.space.items(), positions.tolist(), strict=True)
        return {name: _value(distribution, position) for (name, distribution), position in items}

    def encode(self, trials: Sequence[FrozenTrial]) -> tuple[list[FrozenTrial], Positions]:
        """The trials that lie on the grid, and the positions ``[trials, parameters]`` nearest."""
        names = self.space.keys()
        having = [(trial, params) for trial in trials if names <= (params := trial.params).keys()]
        columns = [
            _positions(distribution, [params[name] for _, params in having])
            for name, distribution in self.space.items()
        ]
        positions = np.stack(columns, axis=1) if columns else np.zeros((len(having), 0), np.int64)
        inside = np.flatnonzero(((positions >= 0) & (positions < self.sizes)).all(axis=1))
        return [having[k][0] for k in inside], positions[inside]


def _size(distribution: BaseDistribution) -> int:
    match distribution:
        case CategoricalDistribution():
            return len(distribution.choices)
        case IntDistribution():
            return (distribution.high - distribution.low) // distribution.step + 1
        case FloatDistribution(step=float(step)):
            return round((distribution.high - distribution.low) / step) + 1
    return 1 if distribution.single() else _STEPS + 1


def _value(distribution: BaseDistribution, position: int) -> Any:
    match distribution:
        case CategoricalDistribution():
            return distribution.choices[position]
        case IntDistribution():
            return distribution.low + position * distribution.step
        case FloatDistribution(step=float(step)):
            return min(distribution.low + position * step, distribution.high)
        case FloatDistribution(log=True):
            low, high = math.log(distribution.low), math.log(distribution.high)
            value = math.exp(low + (high - low) * position / _STEPS)
            return min(max(value, distribution.low), distribution.high)
        case FloatDistribution():
            return distribution.low + (distribution.high - distribution.low) * position / _STEPS
    raise TypeError(f"no positions for {distribution}")


def _positions(distribution: BaseDistribution, values: Sequence[Any]) -> NDArray[np.int64]:
    """Positions ``[values]``; those of values outside the distribution lie outside the grid."""
    if isinstance(distribution, CategoricalDistribution):
        places = {choice: place for place, choice in enumerate(distribution.choices)}
        return np.array([places.get(value, -1) for value in values], dtype=np.int64)
    if distribution.single():
        return np.zeros(len(values), dtype=np.int64)
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        raise TypeError(f"no positions for {distribution}")
    numbers = np.array(values, dtype=np.float64)
    low, high, step = float(distribution.low), float(distribution.high), distribution.step
    if step is None:
        if distribution.log:
            low, high, numbers = math.log(low), math.log(high), np.log(numbers)
        step = (high - low) / _STEPS
    positions: NDArray[np.int64] = np.round((numbers - low) / step).astype(np.int64)
    return positions
