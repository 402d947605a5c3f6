"""The elements that the authors of SGQuant count (arXiv 2007.05100), to compare with them."""

from collections.abc import Iterator

from sgq_auto.packed.allocation import FEATURES, Component, Site
from sgq_auto.packed.sizes.shape_specs import GraphSpec, LayerSpec, ModelSpec


def sgquant_elements(model: ModelSpec, graph: GraphSpec) -> Iterator[tuple[str, Site, int]]:
    """Layer, site and elements of every tensor that the SGQuant authors count."""
    inputs = model.dataflow.inputs
    for position, layer in enumerate(model.layers):
        out = sum(rows for rows, _ in layer.weight_shapes) or layer.normalized_features
        reads_features, own = inputs[position] is None, _output_layer(model, position)
        into = graph.gathered_edges(layer)
        for bucket, rows in enumerate(graph.rows(per_graph=layer.per_graph)):
            loops = 0 if layer.gathers_itself else rows
            copies = layer.source_copies * (graph.bucket_out_edges[bucket] - loops)
            copies += layer.target_copies * into[bucket]
            copies *= layer.gathered_features * (1 + layer.further_hops)
            source = Site(FEATURES, Component.EMBEDDING, bucket)
            given = source if reads_features else _embedding(layer, bucket)
            made = source if own is None else _embedding(own, bucket)
            yield layer.name, given, rows * layer.in_features
            yield layer.name, made, rows * out + copies
            if layer.heads:
                attention = into[bucket] * layer.heads * layer.attention_copies
                yield layer.name, Site(layer.name, Component.ATTENTION, bucket), attention
    # What a model holds besides, which their models do not.
    for skip in model.dataflow.skips:
        for site, rows in graph.embedding_rows(skip.name, per_graph=skip.per_graph):
            yield skip.name, site, rows * skip.features


def _embedding(layer: LayerSpec, bucket: int) -> Site:
    """The site of a layer's embedding in a bucket; the only one where its rows are graphs."""
    return Site(layer.name, Component.EMBEDDING, None if layer.per_graph else bucket)


def _output_layer(model: ModelSpec, position: int) -> LayerSpec | None:
    """The layer whose embedding bits the output of the layer at ``position`` has.

    A linear layer that reads the features has no embedding of its own: its output is coded
    as the input of a layer that follows; ``None`` where it has those of the features.
    """
    inputs = model.dataflow.inputs
    for layer, made in list(zip(model.layers, inputs, strict=True))[position:]:
        if Component.EMBEDDING in layer.components(reads_features=made is None):
            return layer
    return None
