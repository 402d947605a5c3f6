"""Whether full precision is better than always answering the most frequent class."""

from dataclasses import replace

import pytest
import torch

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.searching.measuring.majority_class import Guessing, Standing, untaught, wilson_bound


def with_validation(graph: Graph, counts: list[int]) -> Graph:
    """The graph with so many validation nodes of each class."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    nodes = torch.arange(len(labels))
    names = ("north", "east", "south", "west")
    return replace(graph, val=type(graph.val)(nodes, labels), class_names=names)


def test_the_bound_is_wilsons() -> None:
    # statsmodels: proportion_confint(30, 80, alpha=0.1, method="wilson")[0]
    assert wilson_bound(30 / 80, 80) == pytest.approx(0.2914, abs=1e-3)
    assert wilson_bound(0.0, 10) == 0.0
    assert wilson_bound(1.0, 3) == pytest.approx(3 / (3 + 1.6449**2), abs=1e-4)
    assert 0.49 < wilson_bound(0.5, 100_000) < 0.5


@pytest.mark.parametrize(
    ("counts", "accuracy", "allowed", "standing"),
    [
        ([40, 20, 10, 10], 0.5, 0.4, Standing.NO_BETTER),
        ([40, 20, 10, 10], 0.2, 0.4, Standing.NO_BETTER),
        ([40, 20, 10, 10], 0.55, 0.4, Standing.NOT_CLEARLY_BETTER),
        ([40, 20, 10, 10], 0.8, 0.4, Standing.BETTER),
        ([40, 20, 10, 10], 0.8, 30.0, Standing.MAY_BE_LOST),
        # As high an accuracy, known by far fewer nodes.
        ([2, 1, 1, 0], 0.75, 0.4, Standing.NOT_CLEARLY_BETTER),
        # Surely better, but by next to nothing.
        ([20_000, 10_000, 5_000, 5_000], 0.53, 0.4, Standing.BARELY_BETTER),
        # Where one class has most nodes, the rest is what counts.
        ([9_500, 200, 200, 100], 0.9542, 0.1, Standing.BARELY_BETTER),
        ([9_500, 200, 200, 100], 0.98, 0.4, Standing.BETTER),
        ([0, 60, 0, 0], 1.0, 0.4, Standing.ONE_CLASS),
    ],
)
def test_how_full_precision_stands(
    counts: list[int],
    accuracy: float,
    allowed: float,
    standing: Standing,
    synthetic: PreparedData,
) -> None:
    found = Guessing.of(accuracy, with_validation(synthetic.graph, counts), allowed)
    assert found.standing is standing
    assert (found.warning is None) == (standing is Standing.BETTER)
    assert found.val_nodes == sum(counts)
    assert found.majority_accuracy == max(counts) / sum(counts)


def test_the_warning_names_both_figures_the_nodes_and_the_class(synthetic: PreparedData) -> None:
    graph = with_validation(synthetic.graph, [10, 40, 20, 10])
    warning = Guessing.of(0.5125, graph, 0.4).warning
    assert warning is not None
    assert "not clearly better than guessing" in warning
    assert "51.2 % of 80 validation nodes" in warning
    assert "class 'east' is right on 50.0 %" in warning
    assert f"at least {100 * wilson_bound(0.5125, 80):.1f} %" in warning
    assert "\n" not in warning


def test_teachers_that_learned_nothing_are_counted(synthetic: PreparedData) -> None:
    graph = with_validation(synthetic.graph, [40, 20, 10, 10])
    assert untaught([0.8, 0.82, 0.79], graph, 0.4) is None
    warning = untaught([0.8, 0.5, 0.79, 0.3], graph, 0.4)
    assert warning is not None
    assert "2 of 4 full-precision models that teach" in warning
    assert "80.0 %, 50.0 %, 79.0 %, 30.0 %" in warning
