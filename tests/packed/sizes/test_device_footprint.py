"""Flash and RAM on a device, told before a model is trained."""

import numpy as np
import pytest
from cases import random_allocation, trained
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.graphs import PreparedData
from sgq_auto.models import GCN
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.sizes.device_footprint import places_of
from sgq_auto.quantize import convert


def _held(made: CModel) -> int:
    tables = made.tables
    return 4 * len(tables.words) + 4 * len(tables.numbers) + tables.bytes.size


@pytest.mark.parametrize("ladder", [[1, 2, 3, 4, 6, 8], [4, 32], [8, 16]])
def test_one_shape_tells_the_bytes_of_every_allocation(
    ladder: list[int], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    plain = GCN(graph.features.num_features, graph.num_classes)
    made = []
    for seed in range(3):
        allocation = random_allocation(plain, graph, ladder, seed)
        packed = convert(trained(plain, graph, allocation), graph, {})
        made.append((allocation, CModel(packed)))
    shape = made[0][1].shape
    for allocation, c_model in made:
        predicted = shape.footprint(c_model.model.graph.spec, allocation)
        assert predicted == c_model.footprint
        assert predicted.flash_bytes == _held(c_model)


def test_sums_that_may_be_large_are_held_in_64_bits(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    plain = GCN(graph.features.num_features, graph.num_classes)
    small, large = (
        CModel(convert(trained(plain, graph, random_allocation(plain, graph, [b], 0)), graph, {}))
        for b in (8, 16)
    )
    assert "typedef uint32_t sgq_sum" in small.header()
    assert "typedef uint64_t sgq_sum" in large.header()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6), st.integers(0, 6)), max_size=8))
def test_buffers_that_are_needed_at_once_do_not_overlap(drawn: list[tuple[int, int, int]]) -> None:
    sizes = [size for size, _, _ in drawn]
    spans = [(min(a, b), max(a, b)) for _, a, b in drawn]
    places, end = places_of(sizes, spans)
    for moment in range(7):
        used = np.zeros(end + 1, dtype=int)
        for size, span, place in zip(sizes, spans, places, strict=True):
            if span[0] <= moment <= span[1]:
                used[place : place + size] += 1
        assert used.max() <= 1
    assert end <= sum(sizes)
