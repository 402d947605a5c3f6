"""Bit allocations: how many bits every quantized site of a model gets.

Standard library only, so that the packed runtime can share it.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from sgq_auto.errors import InputError

FULL_PRECISION = 32
DEFAULT_LADDER = (1, 2, 3, 4, 6, 8)
MAX_CODE_BITS = 16
# What sites of the node features have for a layer: the features are an embedding of their own.
FEATURES = "features"
# The same for the weights of edges, which are attention that the graph itself brings.
EDGE_WEIGHTS = "edge_weight"


class Component(StrEnum):
    """What a layer holds that can be quantized (SGQuant, arXiv 2007.05100, section IV-B)."""

    EMBEDDING = "embedding"
    ATTENTION = "attention"
    WEIGHT = "weight"


@dataclass(frozen=True, order=True)
class Site:
    """One place that is quantized: a component of a layer, for one degree bucket or for none.

    The node features are the embedding of a layer called :data:`FEATURES`, the weights of edges the
    attention of one called :data:`EDGE_WEIGHTS`.
    """

    layer: str
    component: Component
    bucket: int | None = None

    def __str__(self) -> str:
        """``conv1.embedding.0``, or ``conv1.weight`` where there is no bucket."""
        suffix = "" if self.bucket is None else f".{self.bucket}"
        return f"{self.layer}.{self.component}{suffix}"


class BitAllocation(Mapping[Site, int]):
    """A frozen, hashable map from every site of a model to its bit-width."""

    def __init__(self, bits: Mapping[Site, int] | Iterable[tuple[Site, int]]) -> None:
        self._bits = dict(bits)
        for site, width in self._bits.items():
            if not is_bit_width(width):
                raise InputError(
                    f"bits of {site}: {width} is no bit-width; "
                    f"take 1 to {MAX_CODE_BITS}, or {FULL_PRECISION} for full precision"
                )

    @cached_property
    def _key(self) -> frozenset[tuple[Site, int]]:
        return frozenset(self._bits.items())

    def __getitem__(self, site: Site) -> int:
        return self._bits[site]

    def __iter__(self) -> Iterator[Site]:
        return iter(self._bits)

    def __len__(self) -> int:
        return len(self._bits)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BitAllocation) and self._key == other._key

    def __repr__(self) -> str:
        return f"BitAllocation({self.by_name()})"

    def by_name(self) -> dict[str, int]:
        """The same map with each site written as text, for files and tracking."""
        return {str(site): bits for site, bits in self._bits.items()}

    @classmethod
    def uniform(cls, sites: Iterable[Site], bits: int) -> "BitAllocation":
        """Every one of ``sites`` at the same bit-width."""
        return cls(dict.fromkeys(sites, bits))


def is_bit_width(bits: int) -> bool:
    """Whether codes of ``bits`` bits exist here: 1 to 16, or 32 for full precision."""
    return type(bits) is int and (1 <= bits <= MAX_CODE_BITS or bits == FULL_PRECISION)


def check_ladder(ladder: Iterable[int]) -> tuple[int, ...]:
    """Validate a bit ladder: increasing bit-widths out of 1..16 and 32.

    Raises:
        InputError: If it is empty, not strictly increasing, or holds another width.
    """
    widths = tuple(ladder)
    if not widths or not all(is_bit_width(b) for b in widths):
        raise InputError(
            f"ladder={list(widths)}: bit-widths lie in 1 to {MAX_CODE_BITS}, "
            f"or are {FULL_PRECISION} (full precision), like [1,2,3,4,6,8]"
        )
    if any(a >= b for a, b in itertools.pairwise(widths)):
        raise InputError(f"ladder={list(widths)}: bit-widths must increase, like [1,2,3,4,6,8]")
    return widths
