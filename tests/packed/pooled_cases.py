"""Quantized models of whole graphs at random bits, and the packed models of them."""

from functools import cache

import numpy as np
from torch import nn

from many_graphs import POOLS, EveryLayer, drawn, moved_statistics
from sgq_auto.graphs import Graph
from sgq_auto.graphs.many_graphs.largest import Largest, largest_graph
from sgq_auto.packed import PackedModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, freeze_ranges, prepare, trace_spec
from sgq_auto.training import predict

LADDER = (1, 2, 3, 4, 6, 8, 32)


def pack(
    model: nn.Module, graph: Graph, ladder: tuple[int, ...] = LADDER
) -> tuple[PackedModel, np.ndarray]:
    """A model at random bits, packed, and what it gives prepared."""
    moved_statistics(model)
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    bits = np.random.default_rng(0).choice(ladder, len(sites)).tolist()
    allocation = BitAllocation(zip(sites, bits, strict=True))
    prepared = prepare(model, graph, allocation)
    freeze_ranges(prepared)
    expected = predict(prepared, graph).numpy()
    packed = convert(prepared, graph)
    assert packed.allocation == allocation
    return packed, expected


@cache
def pooled_case(kind: str) -> tuple[PackedModel, Largest]:
    """A model that pools the mean of every layer, and the graph that its sizes are told for."""
    graph, model = drawn().prepared().graph, EveryLayer(kind, POOLS["mean"], 7)
    largest = largest_graph(trace_spec(prepare(model, graph), graph), graph)
    return pack(model, graph)[0], largest
