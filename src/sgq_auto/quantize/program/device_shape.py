"""What flash and RAM of a prepared model follow from, once it is written in C."""

from torch import nn

from sgq_auto.graphs import Graph
from sgq_auto.packed import GraphSpec
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.sizes.device_sizes import DeviceSizes
from sgq_auto.quantize.program.convert import convert


def device_sizes(prepared: nn.Module, graph: Graph, sized: GraphSpec | None = None) -> DeviceSizes:
    """Flash and RAM of a model in C, for any allocation of bits.

    The model need not be trained, and its own bits do not matter. It is packed as it is, and the
    writer of C looks at the result: what cannot be written is so told by who would write it.

    Args:
        prepared: A model from :func:`sgq_auto.quantize.prepare`.
        graph: The graph, or the graphs, it was prepared for.
        sized: Of a model for many graphs, the graph that sizes are at; ``None``: the largest.

    Raises:
        UnsupportedInCError: If it has what C cannot do yet.
        InputError: If it cannot be packed.
    """
    # Nothing is predicted, so no kernel need be compiled.
    packed = convert(prepared, graph, engine=NumpyEngine(), sized=sized)
    return DeviceSizes(CModel(packed).shape, packed.graph.spec)
