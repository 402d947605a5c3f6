"""Bit allocations: sites, widths, equality and messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.errors import InputError
from sgq_auto.packed.allocation import (
    DEFAULT_LADDER,
    BitAllocation,
    Component,
    Site,
    check_ladder,
    is_bit_width,
)

_SITES = (
    Site("conv1", Component.EMBEDDING, 0),
    Site("conv1", Component.EMBEDDING, 1),
    Site("conv1", Component.WEIGHT),
)


def test_site_is_written_with_its_bucket_only_where_it_has_one() -> None:
    assert [str(site) for site in _SITES] == [
        "conv1.embedding.0",
        "conv1.embedding.1",
        "conv1.weight",
    ]


def test_allocation_is_a_map_of_its_sites() -> None:
    allocation = BitAllocation(zip(_SITES, (1, 8, 32), strict=True))
    assert dict(allocation) == dict(zip(_SITES, (1, 8, 32), strict=True))
    assert len(allocation) == 3
    assert allocation.by_name() == {
        "conv1.embedding.0": 1,
        "conv1.embedding.1": 8,
        "conv1.weight": 32,
    }
    with pytest.raises(KeyError):
        allocation[Site("conv2", Component.WEIGHT)]


@given(st.lists(st.sampled_from(DEFAULT_LADDER), min_size=3, max_size=3), st.permutations(range(3)))
def test_equality_and_hash_ignore_the_order_of_sites(bits: list[int], order: list[int]) -> None:
    allocation = BitAllocation(zip(_SITES, bits, strict=True))
    shuffled = BitAllocation([(_SITES[k], bits[k]) for k in order])
    assert allocation == shuffled
    assert hash(allocation) == hash(shuffled)
    wider = BitAllocation({**allocation, _SITES[0]: bits[0] + 8})
    assert wider != allocation


def test_allocation_does_not_follow_the_map_it_was_made_from() -> None:
    bits = dict.fromkeys(_SITES, 4)
    allocation = BitAllocation(bits)
    bits[_SITES[0]] = 8
    assert allocation == BitAllocation.uniform(_SITES, 4)


def test_widths_are_1_to_16_and_32() -> None:
    assert [bits for bits in range(-2, 40) if is_bit_width(bits)] == [*range(1, 17), 32]


@pytest.mark.parametrize("bits", [0, -1, 17, 31, 33])
def test_other_widths_are_refused_by_site(bits: int) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*conv1\.weight[^\n]*$") as caught:
        BitAllocation({_SITES[2]: bits})
    assert f" {bits} " in str(caught.value)


def test_good_ladders_pass() -> None:
    assert check_ladder([1, 2, 3, 4, 6, 8]) == DEFAULT_LADDER
    assert check_ladder([4, 32]) == (4, 32)


@pytest.mark.parametrize("ladder", [[], [0, 1], [4, 4], [8, 4], [4, 17], [2.5], ["4"]])
def test_bad_ladders_are_refused_in_one_line(ladder: list[int]) -> None:
    with pytest.raises(InputError, match=r"^ladder=\[[^\n]*$"):
        check_ladder(ladder)
