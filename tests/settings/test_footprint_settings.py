"""At which graph sizes are: checked values."""

from typing import Any

import pytest

from sgq_auto.errors import InputError
from sgq_auto.settings import FootprintSettings


@pytest.mark.parametrize(
    "graph", ["smallest", 5, None, [], [5], [0, 0], [5, -1], [5, 2.5], [5, 2, 1], "5,2", [True, 0]]
)
def test_neither_largest_nor_a_size_is_refused(graph: Any) -> None:
    with pytest.raises(InputError, match="it must be largest, or nodes and edges like"):
        FootprintSettings(graph)


def test_more_edges_than_pairs_of_nodes_are_refused() -> None:
    with pytest.raises(InputError, match="4 nodes have at most 12 edges"):
        FootprintSettings([4, 13])


def test_studies_that_do_not_set_it_keep_their_names() -> None:
    assert FootprintSettings().key == {}
    assert FootprintSettings([4, 12]).key == {"footprint": [4, 12]}
