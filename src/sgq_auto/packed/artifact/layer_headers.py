"""The layers in a header, written, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import FEATURES, Component
from sgq_auto.packed.header_fields import (
    bit_width,
    bit_widths,
    count,
    flag,
    object_of,
)
from sgq_auto.packed.runtime.layers.layer import LayerEntry, PackedLayer
from sgq_auto.packed.runtime.layers.layer_kinds import KINDS
from sgq_auto.packed.runtime.program import input_buffer
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True)
class LayerHeader:
    """One layer of a header, checked.

    Attributes:
        kind: The class of its kind.
        spec: Its sizes.
        out_features: Width of its output.
        reads_features: Whether its input is the node features.
        input_bits: Bits of its input, bucket by bucket; those of the node features where it reads
            them; one number where its rows are graphs.
        embedding_bits: Bits of its own embeddings, in the same way; empty where it has none.
        attention_bits: Bits of its coefficients, bucket by bucket; empty where it has none.
        weight_bits: Bits of its weights; 0 without any.
        bias: Whether it has a bias.
        settings: What its kind read besides, as the arguments of its class.
    """

    kind: type[PackedLayer]
    spec: LayerSpec
    out_features: int
    reads_features: bool
    input_bits: tuple[int, ...]
    embedding_bits: tuple[int, ...]
    attention_bits: tuple[int, ...]
    weight_bits: int
    bias: bool
    settings: dict[str, Any]


def describe_layer(
    layer: PackedLayer, activation: str | None, reads_features: bool
) -> dict[str, Any]:
    """The entry of a layer.

    Args:
        layer: The layer.
        activation: What a header of version 2 says of it; ``None`` in one of version 3.
        reads_features: Whether its input is the node features, whose bits are not its own.
    """
    own = layer.bucket_bits(reads_features=reads_features)
    bits: dict[str, Any] = {str(component): widths for component, widths in own.items()}
    if layer.weight_bits is not None:
        bits[Component.WEIGHT] = layer.weight_bits
    return {
        "kind": layer.kind,
        "name": layer.spec.name,
        "in": layer.spec.in_features,
        "out": layer.out_features,
        **({} if activation is None else {"activation": activation}),
        "bias": layer.bias is not None,
        "bits": bits,
        **layer.described(),
    }


def parse_layer(
    node: Mapping[str, Any],
    buckets: int,
    feature_bits: tuple[int, ...],
    written: frozenset[str],
    of_graphs: frozenset[str | None],
) -> LayerHeader:
    """Read the entry of a layer.

    Args:
        node: The entry.
        buckets: Degree buckets of the graph.
        feature_bits: Bits of the node features.
        written: The buffers that stages write: a layer whose input is none reads the features.
        of_graphs: Those whose rows are graphs.

    Raises:
        ArtifactError: If something is missing, of the wrong type, or contradicts the rest.
    """
    kind = _kind(node)
    name = node.get("name")
    if not isinstance(name, str) or not name:
        raise ArtifactError("a layer has no name")
    bits = object_of(node, "bits")
    entry = LayerEntry(name, count(node, "in", 1), count(node, "out", 1), flag(node, "bias"))
    spec, settings = kind.parse(entry, node)
    spec = replace(spec, per_graph=input_buffer(name) in of_graphs)
    reads_features = input_buffer(name) not in written
    has_embedding = spec.transformed_features or not reads_features
    groups = 1 if spec.per_graph else buckets
    embedding_bits = bit_widths(bits, "embedding", groups) if has_embedding else ()
    return LayerHeader(
        kind=kind,
        spec=spec,
        out_features=entry.out_features,
        reads_features=reads_features,
        input_bits=feature_bits if reads_features else embedding_bits,
        embedding_bits=embedding_bits,
        attention_bits=bit_widths(bits, "attention", buckets) if spec.heads else (),
        weight_bits=bit_width(bits.get("weight"), "weight") if spec.weight_shape else 0,
        bias=entry.bias,
        settings=settings,
    )


def _kind(node: Mapping[str, Any]) -> type[PackedLayer]:
    name = node.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise ArtifactError(f"kind is {name!r}, which this runtime does not know")
    return KINDS[name]


def check_layers(layers: tuple[LayerHeader, ...]) -> None:
    """Check names, and whether a layer that reads the node features can.

    Raises:
        ArtifactError: If two names are the same, or a layer cannot.
    """
    if not layers:
        raise ArtifactError("the header has no layers")
    names = [layer.spec.name for layer in layers]
    if len(set(names)) != len(names):
        raise ArtifactError("two layers have the same name")
    if FEATURES in names:
        raise ArtifactError(f"a layer is called {FEATURES!r}, as the node features are")
    for layer in layers:
        if layer.reads_features and layer.kind.feature_fault:
            raise ArtifactError(f"{layer.spec.name}: {layer.kind.feature_fault}")
        if layer.spec.per_graph and not layer.kind.takes_graphs:
            raise ArtifactError(f"{layer.spec.name}: it reads rows of graphs, and needs edges")
