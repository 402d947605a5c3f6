"""The sizes of each kind of layer."""

from collections.abc import Sequence
from dataclasses import replace

from sgq_auto.packed.sizes.specs import LayerSpec


def linear_spec(name: str, in_features: int, out_features: int, *, bias: bool) -> LayerSpec:
    """Sizes of ``x W + b``."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        vector_elements=out_features if bias else 0,
    )


def gcn_spec(name: str, in_features: int, out_features: int, *, bias: bool) -> LayerSpec:
    """Sizes of a graph convolution (Kipf and Welling 2017)."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        transformed_features=out_features,
        heads=1,
        attention_from_degrees=True,
        vector_elements=out_features if bias else 0,
        gathered_features=out_features,
        source_copies=1,
        attention_copies=1,
    )


def gat_spec(
    name: str, in_features: int, channels: int, heads: int, *, concat: bool, bias: bool
) -> LayerSpec:
    """Sizes of graph attention (Velickovic et al. 2018) of ``heads`` with ``channels`` each."""
    width = heads * channels
    out = width if concat else channels
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(width, in_features),
        transformed_features=width,
        heads=heads,
        vector_elements=2 * width + (out if bias else 0),
        gathered_features=width,
        source_copies=1,
        target_copies=1,
        attention_copies=3,
    )


def gatv2_spec(
    name: str,
    in_features: int,
    channels: int,
    heads: int,
    *,
    shared: bool,
    concat: bool,
    bias: bool,
) -> LayerSpec:
    """Sizes of graph attention of the second version (Brody et al. 2022).

    Sources and targets are transformed by matrices of their own, unless those are ``shared``.
    """
    width = heads * channels
    rows = width if shared else 2 * width
    out = width if concat else channels
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(rows, in_features),
        transformed_features=rows,
        heads=heads,
        vector_elements=width + (rows + out if bias else 0),
        gathered_features=width,
        source_copies=1,
        target_copies=1,
        attention_copies=2,
    )


def transformer_spec(
    name: str, in_features: int, channels: int, heads: int, *, concat: bool, bias: bool
) -> LayerSpec:
    """Sizes of a graph transformer layer (Shi et al. 2021): queries, keys, values and a skip."""
    width = heads * channels
    rows = 3 * width + (width if concat else channels)
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(rows, in_features),
        keeps_input=True,
        transformed_features=3 * width,
        heads=heads,
        vector_elements=rows if bias else 0,
        gathered_features=width,
        gathers_itself=False,
        source_copies=2,
        target_copies=1,
        attention_copies=2,
    )


def sgc_spec(name: str, in_features: int, out_features: int, *, hops: int, bias: bool) -> LayerSpec:
    """Sizes of a simplified graph convolution (Wu et al. 2019)."""
    gcn = gcn_spec(name, in_features, out_features, bias=bias)
    return replace(gcn, further_hops=hops - 1)


def appnp_spec(name: str, in_features: int, *, hops: int) -> LayerSpec:
    """Sizes of a propagation by personalised PageRank (Klicpera et al. 2019)."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        keeps_input=True,
        further_hops=hops - 1,
        heads=1,
        attention_from_degrees=True,
        gathered_features=in_features,
        source_copies=1,
        attention_copies=1,
    )


def generic_spec(
    name: str,
    in_features: int,
    weights: Sequence[tuple[int, int]],
    *,
    further_inputs: int,
    vector_elements: int,
) -> LayerSpec:
    """Sizes of any other message passing layer, as far as they are known.

    That is its inputs, which are gathered once, and its parameters; nothing that it computes.
    """
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=weights[0] if weights else None,
        further_weights=tuple(weights[1:]),
        further_inputs=further_inputs,
        keeps_input=True,
        vector_elements=vector_elements,
        gathered_features=in_features,
        gathers_itself=False,
        source_copies=1,
    )


def sage_spec(
    name: str, in_features: int, out_features: int, *, root_weight: bool, bias: bool
) -> LayerSpec:
    """Sizes of GraphSAGE with mean or sum (Hamilton et al. 2017), neighbours transformed first."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        root_weight=root_weight,
        transformed_features=out_features,
        vector_elements=out_features if bias else 0,
        gathered_features=out_features,
        gathers_itself=False,
        source_copies=1,
    )


def gin_spec(name: str, in_features: int, out_features: int, *, bias: bool) -> LayerSpec:
    """Sizes of the sum of a graph isomorphism layer (Xu et al. 2019) and its first linear layer.

    The rest of its network are linear layers of their own.
    """
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        transformed_features=out_features,
        # Besides the bias, epsilon.
        vector_elements=1 + (out_features if bias else 0),
        gathered_features=out_features,
        gathers_itself=False,
        source_copies=1,
    )


def agnn_spec(name: str, in_features: int, *, learns_beta: bool) -> LayerSpec:
    """Sizes of an attention-based propagation (Thekumparampil et al. 2018)."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        heads=1,
        vector_elements=1 if learns_beta else 0,
        normalized_features=in_features,
        gathered_features=in_features,
        source_copies=2,
        target_copies=1,
        attention_copies=2,
    )
