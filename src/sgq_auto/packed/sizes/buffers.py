"""Every buffer of one inference: its bytes, and how long it is needed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.sizes.shape_specs import GraphSpec, ModelSpec
from sgq_auto.packed.sizes.tensor_storage import TensorStorage

# What an artifact does not hold where features, or whole graphs, are given to be predicted.
_FEATURES, _EDGES = frozenset({"features"}), frozenset({"edges", "bucket_map", "edge_weights"})


class Part(StrEnum):
    """What a buffer is for."""

    FEATURES = "features"
    GRAPH = "graph"
    WEIGHTS = "weights"
    SCALES = "scales"
    EMBEDDING = "embedding"
    ATTENTION = "attention"


@dataclass(frozen=True)
class Buffer:
    """One tensor of an inference: its bytes and the first and last step that need it.

    Layer ``k`` transforms its input in step ``2k`` and passes messages in step ``2k + 1``.
    Stored buffers are there from step 0; ``stored_bytes`` is what they take in an artifact.
    """

    name: str
    part: Part
    num_bytes: int
    first: int
    last: int
    stored_bytes: int = 0


def inference_buffers(model: ModelSpec, graph: GraphSpec, storage: TensorStorage) -> list[Buffer]:
    """Every buffer of one inference, layer by layer."""
    layers, flow = model.layers, model.dataflow
    last_step = 2 * len(layers) - 1
    propagating = [k for k, layer in enumerate(layers) if layer.propagates]
    graph_last = 2 * propagating[-1] + 1 if propagating else 0
    from_degrees = [k for k, layer in enumerate(layers) if layer.attention_from_degrees]
    degrees, bucket_map = storage.degrees() if from_degrees else 0, storage.bucket_map()
    buffers = [
        Buffer("edges", Part.GRAPH, storage.graph(), 0, graph_last, storage.stored_graph()),
        Buffer("edge_index", Part.GRAPH, storage.block_index(), 0, graph_last),
        Buffer("degrees", Part.GRAPH, degrees, 0, graph_last),
        Buffer("bucket_map", Part.GRAPH, bucket_map, 0, last_step, bucket_map),
        *_pooling_buffers(model, storage),
        *_edge_weight_buffers(model, storage),
        *_feature_buffers(model, graph, storage),
        _stored("outside.vectors", Part.WEIGHTS, storage.outside_vectors(flow), last_step),
    ]
    for k in range(len(layers)):
        first = k == (from_degrees[0] if from_degrees else 0)
        buffers += _layer_buffers(model, storage, k, first_attention=first)
    for k, tensor in enumerate(flow.carried):
        first_step, last = _last_step(model, tensor.made - 1), _last_step(model, tensor.read - 1)
        size = storage.carried(tensor)
        buffers.append(Buffer(f"carried.{k}", Part.EMBEDDING, size, first_step, last))
    for skip in flow.skips:
        steps = _last_step(model, skip.made - 1), _last_step(model, skip.read - 1)
        size = storage.embedding(skip.name, skip.features, per_graph=skip.per_graph)
        buffers.append(Buffer(skip.name, Part.EMBEDDING, size, *steps))
        scales = storage.embedding_scales(skip.name, per_graph=skip.per_graph)
        buffers.append(_stored(f"{skip.name}.scales", Part.SCALES, scales, steps[1]))
    if graph.inductive:
        given = _FEATURES if graph.fixed else _FEATURES | _EDGES
        buffers = [replace(b, stored_bytes=0) if b.name in given else b for b in buffers]
    return [buffer for buffer in buffers if buffer.num_bytes]


def _layer_buffers(
    model: ModelSpec, storage: TensorStorage, k: int, *, first_attention: bool
) -> Iterator[Buffer]:
    layer, transform, propagate = model.layers[k], 2 * k, 2 * k + 1
    last, made = _last_step(model, k), model.dataflow.inputs[k]
    reads = model.dataflow.input_reads
    weight_last = last if layer.keeps_input or layer.edge_features else transform
    ran_before = any(other.name == layer.name for other in model.layers[:k])
    # A layer that runs again has new activations and no more weights.
    name = f"{layer.name}.{k}" if ran_before else layer.name
    if made is not None:
        size = storage.input(layer, shared=k in model.dataflow.shared)
        first = _last_step(model, made - 1)
        # A skip connection may read the codes of a layer's input after the layer.
        again = _last_step(model, model.dataflow.input_reads[k] - 1) if reads else 0
        input_last = max(_input_last(model, k), again)
        yield Buffer(f"{name}.input", Part.EMBEDDING, size, first, input_last)
    if not ran_before:
        scales = storage.scales(layer, reads_features=made is None)
        # Two matrices of one shape; a node's own is needed when what it gathers is there.
        root = storage.weight(layer) // 2 if layer.root_weight else 0
        weight = storage.weight(layer) - root
        yield _stored(f"{name}.weight", Part.WEIGHTS, weight, weight_last)
        yield _stored(f"{name}.root_weight", Part.WEIGHTS, root, last)
        yield _stored(f"{name}.vectors", Part.WEIGHTS, 4 * layer.vector_elements, last)
        yield _stored(f"{name}.scales", Part.SCALES, scales, last)
    if layer.transformed_features:
        size = storage.embedding(layer.name, layer.transformed_features)
        yield Buffer(f"{name}.transformed", Part.EMBEDDING, size, transform, last)
    if layer.further_hops:
        size = layer.hop_buffers * storage.embedding(layer.name, layer.gathered_features)
        yield Buffer(f"{name}.hops", Part.EMBEDDING, size, propagate, propagate)
    if layer.heads:
        size = storage.attention(layer, first=first_attention)
        yield Buffer(f"{name}.attention", Part.ATTENTION, size, propagate, propagate)


def _pooling_buffers(model: ModelSpec, storage: TensorStorage) -> Iterator[Buffer]:
    """What is pooled: it is held while its stage runs."""
    for k, pooled in enumerate(model.dataflow.pooled):
        step = _last_step(model, pooled.made - 1)
        yield Buffer(f"pooled.{k}", Part.EMBEDDING, storage.pooled(pooled), step, step)


def _edge_weight_buffers(model: ModelSpec, storage: TensorStorage) -> Iterator[Buffer]:
    """Weights or features of edges, needed until the last layer that reads them has run."""
    reading = [k for k, layer in enumerate(model.layers) if layer.reads_edges]
    if not reading:
        return
    last = _last_step(model, reading[-1])
    normalized = all(model.layers[k].attention_from_degrees for k in reading)
    held = storage.edge_weights(normalized=normalized)
    stored = storage.stored_edge_weights()
    yield Buffer("edge_weights", Part.ATTENTION, held, 0, last, stored)
    yield _stored("edge_weights.scales", Part.SCALES, storage.edge_weight_scales(), last)
    if any(model.layers[k].attention_from_degrees for k in reading):
        yield Buffer("weighted_degrees", Part.GRAPH, storage.weighted_degrees(), 0, last)


def _feature_buffers(
    model: ModelSpec, graph: GraphSpec, storage: TensorStorage
) -> Iterator[Buffer]:
    """The node features, which are needed until the last layer that reads them has."""
    flow = model.dataflow
    reads = [_input_last(model, k) for k, made in enumerate(flow.inputs) if made is None]
    last = max([*reads, _last_step(model, (flow.feature_reads or 0) - 1)])
    yield _stored("features", Part.FEATURES, storage.features(), last)
    yield _stored("features.scaling", Part.SCALES, storage.feature_scaling(), last)
    if not reads:
        # No layer has their ranges among its own.
        scales = storage.embedding_scales(FEATURES)
        yield _stored("features.scales", Part.SCALES, scales, last)
    index = 0 if graph.features.dense else storage.block_index()
    yield Buffer("feature_index", Part.FEATURES, index, 0, last)


def _last_step(model: ModelSpec, k: int) -> int:
    """The last step of layer ``k``; step 0 for what is there before the first layer."""
    if k < 0:
        return 0
    return 2 * k + 1 if model.layers[k].propagates else 2 * k


def _input_last(model: ModelSpec, k: int) -> int:
    """The input is needed until it is transformed, or gathered where there is no transform."""
    layer = model.layers[k]
    again = layer.keeps_input or layer.root_weight
    transformed = layer.weight_shape is not None and not again
    return 2 * k if transformed else _last_step(model, k)


def _stored(name: str, part: Part, num_bytes: int, last: int) -> Buffer:
    """A buffer that is held as it is stored."""
    return Buffer(name, part, num_bytes, 0, last, num_bytes)
