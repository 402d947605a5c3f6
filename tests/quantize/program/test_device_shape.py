"""Flash and RAM of a model in C are known before it is trained, for any bits."""

from collections.abc import Callable

import pytest
from torch import nn
from torch_geometric.nn import GCN as StackedGCN  # noqa: N811
from torch_geometric.nn import GraphSAGE as StackedSAGE

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.quantize import convert, device_sizes, prepare, trace_spec


@pytest.mark.parametrize(
    "model",
    [
        *(GCN, GAT, AGNN, SAGE, GIN),
        lambda i, o: StackedSAGE(i, 8, 2, o, aggr="max", project=True),
        lambda i, o: StackedSAGE(i, 8, 2, o, aggr=["mean", "std"]),
    ],
    ids=["gcn", "gat", "agnn", "sage", "gin", "projected_sage", "sage_with_spreads"],
)
def test_an_untrained_model_at_full_precision_tells_the_bytes_of_packed_ones(
    model: Callable[[int, int], nn.Module], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    plain = model(graph.features.num_features, graph.num_classes)
    prepared = prepare(plain, graph)
    sizes = device_sizes(prepared, graph)
    sites = trace_spec(prepared, graph).sites(graph.spec.num_buckets)
    for ladder in ((3,), (1, 2, 4, 8), (2, 16, 32)):
        bits = BitAllocation({site: ladder[k % len(ladder)] for k, site in enumerate(sites)})
        packed = convert(prepare(plain, graph, bits), graph, engine=NumpyEngine())
        assert sizes.footprint(bits) == CModel(packed).footprint


def test_what_c_cannot_do_is_told_by_its_writer(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    sizes = graph.features.num_features, 4, 2, graph.num_classes
    prepared = prepare(StackedGCN(*sizes, norm="InstanceNorm"), graph)
    with pytest.raises(InputError, match=r"the C model cannot do this yet: .*standardize"):
        device_sizes(prepared, graph)
