"""What few bits cost each group, measured on many graphs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from joined_graphs import random_graphs, with_unseen
from sgq_auto.graphs import DenseFeatures
from sgq_auto.graphs.many_graphs import graphs_of
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.measuring.sensitivity import measure_sensitivities
from sgq_auto.searching.measuring.workbench import Workbench


def test_of_many_graphs_only_those_that_validate_are_looked_at(
    settings: Callable[..., SearchSettings],
) -> None:
    data = with_unseen(random_graphs(10, seed=1, sparse=False), range(5), (5, 6), (7, 8, 9))
    bench = Workbench.build(settings(), data.graph)
    graph, features = data.graph, data.graph.features
    assert graph.graph_of_node is not None
    assert isinstance(features, DenseFeatures)
    others = ~torch.isin(graph.graph_of_node, graphs_of(graph, graph.val))
    changed = torch.where(others[:, None], 100 * features.values, features.values)
    other = replace(bench, graph=replace(graph, features=replace(features, values=changed)))
    loss = measure_sensitivities(bench).loss
    assert np.array_equal(loss, measure_sensitivities(other).loss)
    assert np.abs(loss).max() > 0
