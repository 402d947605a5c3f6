"""The elements that the authors of SGQuant count (arXiv 2007.05100), to compare with them."""

from collections.abc import Iterator

from sgq_auto.packed.allocation import FEATURES, Component, Site
from sgq_auto.packed.sizes.shape_specs import GraphSpec, ModelSpec


def sgquant_elements(model: ModelSpec, graph: GraphSpec) -> Iterator[tuple[str, Site, int]]:
    """Layer, site and elements of every tensor that the SGQuant authors count."""
    inputs = model.dataflow.inputs
    for position, layer in enumerate(model.layers):
        out = sum(rows for rows, _ in layer.weight_shapes) or layer.normalized_features
        source = FEATURES if inputs[position] is None else layer.name
        own, into = _output_layer(model, position), graph.gathered_edges(layer)
        for bucket, nodes in enumerate(graph.bucket_nodes):
            loops = 0 if layer.gathers_itself else nodes
            copies = layer.source_copies * (graph.bucket_out_edges[bucket] - loops)
            copies += layer.target_copies * into[bucket]
            copies *= layer.gathered_features * (1 + layer.further_hops)
            features = Site(source, Component.EMBEDDING, bucket)
            yield layer.name, features, nodes * layer.in_features
            yield layer.name, Site(own, Component.EMBEDDING, bucket), nodes * out + copies
            if layer.heads:
                attention = into[bucket] * layer.heads * layer.attention_copies
                yield layer.name, Site(layer.name, Component.ATTENTION, bucket), attention
    # What a model holds besides, which their models do not.
    for skip in model.dataflow.skips:
        for bucket, nodes in enumerate(graph.bucket_nodes):
            site = Site(skip.name, Component.EMBEDDING, bucket)
            yield skip.name, site, nodes * skip.features


def _output_layer(model: ModelSpec, position: int) -> str:
    """The layer whose embedding bits the output of the layer at ``position`` has.

    A linear layer that reads the features has no embedding of its own: its output is coded
    as the input of a layer that follows.
    """
    inputs = model.dataflow.inputs
    for layer, made in list(zip(model.layers, inputs, strict=True))[position:]:
        if Component.EMBEDDING in layer.components(reads_features=made is None):
            return layer.name
    return FEATURES
