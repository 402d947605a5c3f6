"""Allocations worth a prediction: random ones, and relatives of the best."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sgq_auto.searching.space.search_space import Positions


def random_positions(rng: Generator, sizes: NDArray[np.int64], count: int) -> Positions:
    """``count`` positions drawn evenly over the grid."""
    return rng.integers(0, sizes, size=(count, sizes.size))


def narrowing_positions(
    rng: Generator, sizes: NDArray[np.int64], count: int
) -> Iterator[Positions]:
    """Times ``count`` random positions, each time with one position less to choose from.

    The first ones are drawn over the whole grid, the last ones are the smallest allocation.
    """
    for most in range(int(sizes.max()), 0, -1):
        yield random_positions(rng, np.minimum(sizes, most), count)


def mutated(rng: Generator, parents: Positions, sizes: NDArray[np.int64], count: int) -> Positions:
    """``count`` children of ``parents``: parameters of two of them mixed, a few moved.

    A parameter moves by one position, now and then to any; one or two move in the mean.
    """
    first, second = (parents[rng.integers(len(parents), size=count)] for _ in range(2))
    mixes = rng.random(count) < 0.5
    from_second = (rng.random(first.shape) < 0.5) & mixes[:, None]
    children = np.where(from_second, second, first)
    rate = rng.choice([1.0, 2.0, 4.0], size=(count, 1)) / sizes.size
    moves = rng.random(first.shape) < rate
    steps = rng.choice([-1, 1], size=first.shape)
    anywhere = rng.integers(0, sizes, size=first.shape)
    moved = np.where(rng.random(first.shape) < 0.2, anywhere, children + steps)
    positions: Positions = np.clip(np.where(moves, moved, children), 0, sizes - 1)
    return positions


def neighbours(parents: Positions, sizes: NDArray[np.int64]) -> Positions:
    """Every allocation that differs from a parent by one step of one parameter."""
    steps = np.concatenate(
        [np.eye(sizes.size, dtype=np.int64), -np.eye(sizes.size, dtype=np.int64)]
    )
    near = (parents[:, None] + steps).reshape(-1, sizes.size)
    inside = ((near >= 0) & (near < sizes)).all(axis=1)
    kept: Positions = near[inside]
    return kept


def unseen(candidates: Positions, seen: Positions) -> Positions:
    """The candidates, each once, that are not among ``seen``, in order.

    Rows are told apart by a 64-bit hash; of two that collide, one is lost.
    """
    hashes = _hashes(candidates)
    _, first = np.unique(hashes, return_index=True)
    first.sort()
    new = ~np.isin(hashes[first], _hashes(seen))
    kept: Positions = candidates[first[new]]
    return kept


def _hashes(rows: Positions) -> NDArray[np.int64]:
    factors = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, size=rows.shape[1])
    hashes: NDArray[np.int64] = (rows * factors).sum(axis=1)
    return hashes
