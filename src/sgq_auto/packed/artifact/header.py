"""The header of an artifact: everything about a packed model but its codes, as JSON.

Version 2 says a chain of layers, version 3 any program; both have these entries:

- ``graph``: ``bucket_nodes``, ``bucket_in_edges``, ``bucket_out_edges`` (a list, one number a
  degree bucket; self-loops counted), ``max_in_degree``, ``symmetric``, ``split_points``;
- ``features``: ``num_features``, ``dense``, ``bucket_values``, ``bucket_constant``,
  ``normalize_rows``, ``bits`` (a list);
- ``layers``, in order: ``kind`` (as in :mod:`sgq_auto.packed.runtime.layers.kinds`), ``name``,
  ``in``, ``out``, ``activation`` (version 2), ``bits`` (``embedding`` and ``attention`` a list,
  ``weight`` a number; a layer that reads the features has those of its transformed embedding, if
  any), ``bias``, and what the kind adds: ``parse`` of its class reads that;
- ``skips`` and ``stages`` (version 3): see :mod:`sgq_auto.packed.artifact.stages`;
- ``edge_weights``, only where layers read weights of edges (such a layer has ``edge_weights``
  true): ``symmetric``, ``stored`` (how many the file holds of each bucket), ``bits``;
- ``classes``: their names (numbers where none are known), different and printable;
- ``source``: where the model came from, free of form.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import FEATURES, Component
from sgq_auto.packed.artifact.class_names import class_names_fault
from sgq_auto.packed.artifact.edge_weights import check_readers, with_edge_weights
from sgq_auto.packed.artifact.stage_checks import Widths, check_stages
from sgq_auto.packed.artifact.stages import (
    SkipHeader,
    StageHeader,
    chain_activations,
    chain_stages,
    describe_program,
    parse_skips,
    parse_stages,
    written_buffers,
)
from sgq_auto.packed.header_fields import (
    LARGEST_COUNT,
    MAX_BUCKETS,
    bit_width,
    bit_widths,
    count,
    counts,
    flag,
    flags,
    list_of,
    object_of,
)
from sgq_auto.packed.runtime.edge_weights import PackedEdgeWeights
from sgq_auto.packed.runtime.layers.kinds import KINDS
from sgq_auto.packed.runtime.layers.layer import LayerEntry, PackedLayer
from sgq_auto.packed.runtime.model import PackedModel
from sgq_auto.packed.runtime.program import input_buffer
from sgq_auto.packed.sizes.specs import FeatureSpec, GraphSpec, LayerSpec

CHAIN_VERSION, VERSION = 2, 3
_MAX_LAYERS = 1024


@dataclass(frozen=True)
class LayerHeader:
    """One layer of a header, checked.

    Attributes:
        kind: The class of its kind.
        spec: Its sizes.
        out_features: Width of its output.
        reads_features: Whether its input is the node features.
        input_bits: Bits of its input, bucket by bucket; those of the node features where it reads
            them.
        embedding_bits: Bits of its own embeddings, bucket by bucket; empty where it has none.
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


@dataclass(frozen=True)
class Header:
    """A checked header."""

    graph: GraphSpec
    split_points: tuple[int, ...]
    normalize_rows: bool
    feature_bits: tuple[int, ...]
    layers: tuple[LayerHeader, ...]
    stages: tuple[StageHeader, ...]
    skips: dict[str, SkipHeader]
    classes: tuple[str, ...]
    source: dict[str, Any]
    edge_weight_bits: tuple[int, ...] = ()


def describe(model: PackedModel) -> str:
    """The header of a model."""
    graph, program = asdict(model.graph.spec), model.program
    features, weights = graph.pop("features"), graph.pop("weights")
    held, activations = {}, chain_activations(program)
    if isinstance(model.graph.weights, PackedEdgeWeights):
        held["edge_weights"] = {**weights, "bits": model.graph.weights.ranges.bits}
    layers = [
        _describe_layer(layer, activation, program.reads_features(layer.spec.name))
        for layer, activation in itertools.zip_longest(model.layers, activations or ())
    ]
    return json.dumps(
        {
            "version": VERSION if activations is None else CHAIN_VERSION,
            "graph": {**graph, "split_points": model.graph.split_points},
            "features": {
                **features,
                "normalize_rows": model.features.normalize_rows,
                "bits": model.features.values.ranges.bits,
            },
            "layers": layers,
            **(describe_program(program, model.skips) if activations is None else {}),
            **held,
            "classes": model.classes,
            "source": model.source,
        },
        separators=(",", ":"),
    )


def parse(text: str) -> Header:
    """Read and check a header.

    Raises:
        ArtifactError: If anything is missing, of the wrong type, or contradicts the rest.
    """
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"the header is no JSON ({error})") from error
    if not isinstance(root, dict):
        raise ArtifactError("the header is no JSON object")
    version = root.get("version")
    if type(version) is not int or version not in (CHAIN_VERSION, VERSION):
        known = f"{CHAIN_VERSION} and {VERSION}"
        raise ArtifactError(f"the header has version {version!r}; this runtime reads {known}")
    graph = _graph(object_of(root, "graph"), object_of(root, "features"))
    graph, weight_bits = with_edge_weights(root, graph)
    listed = list_of(root, "layers", _MAX_LAYERS)
    feature_bits = bit_widths(object_of(root, "features"), "bits", graph.num_buckets)
    if any(not isinstance(node, dict) for node in listed):
        raise ArtifactError("layers holds something that is no layer")
    is_chain = version == CHAIN_VERSION
    stages = chain_stages(listed) if is_chain else parse_stages(root)
    skips = {} if is_chain else parse_skips(root, graph.num_buckets)
    written = written_buffers(stages)
    layers = tuple(_layer(node, graph.num_buckets, feature_bits, written) for node in listed)
    classes = tuple(list_of(root, "classes", LARGEST_COUNT))
    _check_layers(layers)
    widths = Widths(
        features=graph.features.num_features,
        inputs={layer.spec.name: layer.spec.in_features for layer in layers},
        outputs={layer.spec.name: layer.out_features for layer in layers},
        classes=len(classes),
        further={layer.spec.name: layer.kind.further_inputs for layer in layers},
    )
    stages = check_stages(stages, skips, widths)
    fault = class_names_fault(classes, len(classes))
    if fault is not None:
        raise ArtifactError(f"classes {fault}")
    points = counts(object_of(root, "graph"), "split_points")
    if len(points) != graph.num_buckets - 1 or list(points) != sorted(set(points)):
        raise ArtifactError("split_points must increase, one fewer than there are buckets")
    normalize = flag(object_of(root, "features"), "normalize_rows")
    check_readers(graph, [layer.spec for layer in layers])
    return Header(
        graph=graph,
        split_points=points,
        normalize_rows=normalize,
        feature_bits=feature_bits,
        layers=layers,
        stages=stages,
        skips=skips,
        classes=classes,
        source=object_of(root, "source"),
        edge_weight_bits=weight_bits,
    )


def _describe_layer(
    layer: PackedLayer, activation: str | None, reads_features: bool
) -> dict[str, Any]:
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


def _graph(node: Mapping[str, Any], features: Mapping[str, Any]) -> GraphSpec:
    nodes = counts(node, "bucket_nodes")
    if not 1 <= len(nodes) <= MAX_BUCKETS or not 1 <= sum(nodes) <= LARGEST_COUNT:
        raise ArtifactError(f"bucket_nodes holds {len(nodes)} buckets of {sum(nodes)} nodes")
    spec = GraphSpec(
        bucket_nodes=nodes,
        bucket_in_edges=counts(node, "bucket_in_edges", len(nodes)),
        bucket_out_edges=counts(node, "bucket_out_edges", len(nodes)),
        max_in_degree=count(node, "max_in_degree"),
        symmetric=flag(node, "symmetric"),
        features=FeatureSpec(
            num_features=count(features, "num_features", 1),
            dense=flag(features, "dense"),
            bucket_values=counts(features, "bucket_values", len(nodes)),
            bucket_constant=flags(features, "bucket_constant", len(nodes)),
        ),
    )
    _check_counts(spec)
    return spec


def _check_counts(spec: GraphSpec) -> None:
    width = spec.features.num_features
    for n, edges, values in zip(
        spec.bucket_nodes, spec.bucket_in_edges, spec.features.bucket_values, strict=True
    ):
        if not n <= edges <= n * spec.num_nodes:
            raise ArtifactError(f"bucket_in_edges: {edges} edges into a bucket of {n} nodes")
        if values > n * width or (spec.features.dense and values != n * width):
            raise ArtifactError(f"bucket_values: {values} values of {n} nodes, {width} features")
    if spec.max_in_degree >= spec.num_nodes or (spec.symmetric and spec.num_edges % 2):
        raise ArtifactError("max_in_degree or symmetric does not fit the edges")


def _layer(
    node: Mapping[str, Any], buckets: int, feature_bits: tuple[int, ...], written: frozenset[str]
) -> LayerHeader:
    kind = _kind(node)
    name = node.get("name")
    if not isinstance(name, str) or not name:
        raise ArtifactError("a layer has no name")
    bits = object_of(node, "bits")
    entry = LayerEntry(name, count(node, "in", 1), count(node, "out", 1), flag(node, "bias"))
    spec, settings = kind.parse(entry, node)
    reads_features = input_buffer(name) not in written
    has_embedding = spec.transformed_features or not reads_features
    embedding_bits = bit_widths(bits, "embedding", buckets) if has_embedding else ()
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


def _check_layers(layers: tuple[LayerHeader, ...]) -> None:
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
