"""Random packed models whose layers read features of edges."""

from dataclasses import replace

import numpy as np
from weighted_models import with_random_values

from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer
from sgq_auto.packed.runtime.layers.attention_based.multi_head import MultiHeadLayer
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer
from sgq_auto.packed.runtime.layers.gine_sum import GineSumLayer, gine_sum_spec
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.layers.pna import PnaLayer


def featured(model: PackedModel, random: np.random.Generator) -> PackedModel:
    """A model with random features of edges, read by those of its layers that can; else itself."""
    columns = int(random.integers(1, 6))
    layers = tuple(_featured(layer, columns, random) for layer in model.layers)
    if not any(layer.spec.edge_features for layer in layers):
        return model
    return with_random_values(replace(model, layers=layers), random, columns)


def _featured(layer: PackedLayer, columns: int, random: np.random.Generator) -> PackedLayer:
    if isinstance(layer, GinSumLayer):
        return _gine(layer, columns, random)
    if isinstance(layer, PnaLayer):
        return _pna(layer, columns, random)
    if not isinstance(layer, MultiHeadLayer) or random.random() < 0.2:
        return layer
    heads, bits = layer.heads, layer.weight_bits
    assert bits is not None
    shapes = (*layer.spec.further_weights, (heads.width, columns))
    spec = replace(layer.spec, further_weights=shapes, edge_features=columns)
    loops = layer.spec.gathers_itself and random.random() < 0.5
    own = {"edge_matrix": _matrix(columns, heads.width, bits, random)}
    if isinstance(layer, GatLayer):
        vectors = random.normal(size=(heads.heads, heads.channels)).astype(np.float32)
        named = (*spec.vectors, ("edge_vectors", vectors.shape))
        elements = spec.vector_elements + vectors.size
        spec = replace(spec, vectors=named, vector_elements=elements)
        own |= {"edge_vectors": vectors}
    fill = float(random.normal()) if loops else None
    return replace(layer, spec=spec, loop_fill=fill, **own)


def _pna(layer: PnaLayer, columns: int, random: np.random.Generator) -> PnaLayer:
    channels, bits = layer.spec.transformed_features, layer.weight_bits
    assert bits is not None
    shapes = (*layer.spec.further_weights, (channels, columns))
    spec = replace(layer.spec, further_weights=shapes, edge_features=columns)
    return replace(layer, spec=spec, edge_matrix=_matrix(columns, channels, bits, random))


def _gine(layer: GinSumLayer, columns: int, random: np.random.Generator) -> GineSumLayer:
    """A sum of messages in place of one of neighbours."""
    width = layer.spec.in_features
    has_matrix = width != columns or random.random() < 0.5
    has_bias = has_matrix and random.random() < 0.5
    sizes = layer.spec.name, width, columns
    return GineSumLayer(
        spec=gine_sum_spec(*sizes, matrix=has_matrix, bias=has_bias),
        inputs=layer.inputs,
        eps=layer.eps,
        edge_matrix=_matrix(columns, width, 4, random) if has_matrix else None,
        edge_bias=random.normal(size=width).astype(np.float32) if has_bias else None,
    )


def _matrix(rows: int, columns: int, bits: int, random: np.random.Generator) -> PackedWeight:
    plain = Ranges((bits,), np.ones(1, np.float32), np.zeros(1, np.float32))
    if bits == 32:
        values = random.normal(size=(rows, columns)).astype(np.float32)
        return PackedWeight(
            pack_matrix(values, (rows,), (bits,), plain), Ranges.full_precision(columns)
        )
    codes = random.integers(0, 2**bits, (rows, columns))
    step = np.full(columns, 2.0 / (2**bits - 1), np.float32)
    channels = Ranges((bits,) * columns, step, random.normal(size=columns).astype(np.float32))
    return PackedWeight(pack_matrix(codes, (rows,), (bits,), plain), channels)
