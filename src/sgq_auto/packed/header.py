"""The header of an artifact: everything about a packed model but its codes, as JSON.

Version 2 has these entries:

- ``graph``: ``bucket_nodes``, ``bucket_in_edges``, ``bucket_out_edges`` (a list, one number a
  degree bucket; self-loops counted), ``max_in_degree``, ``symmetric``, ``split_points``;
- ``features``: ``num_features``, ``dense``, ``bucket_values``, ``bucket_constant``,
  ``normalize_rows``, ``bits`` (a list);
- ``layers``, in order: ``kind`` (``linear``, ``gcn``, ``gat``, ``sage``, ``gin``, ``agnn``),
  ``name``, ``in``, ``out``, ``activation``, ``bits`` (``embedding`` and ``attention`` a list,
  ``weight`` a number; a first layer has those of its transformed embedding, if any),
  ``bias``, and ``heads``, ``concat``, ``slope`` (GAT), ``aggregation`` (``mean``, ``sum``) and
  ``root_weight`` (SAGE) or ``beta`` (AGNN: whether it is learned);
- ``classes``: their names (numbers where none are known), different and printable;
- ``source``: where the model came from, free of form.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sgq_auto.allocation import FEATURES, is_bit_width
from sgq_auto.class_names import class_names_fault
from sgq_auto.errors import ArtifactError
from sgq_auto.packed.layer_specs import (
    agnn_spec,
    gat_spec,
    gcn_spec,
    gin_spec,
    linear_spec,
    sage_spec,
)
from sgq_auto.packed.layers import (
    Activation,
    Aggregation,
    AgnnLayer,
    AttentionConvLayer,
    ConvLayer,
    GatLayer,
    LayerKind,
    PackedLayer,
    SageLayer,
    WeightedLayer,
)
from sgq_auto.packed.model import PackedModel
from sgq_auto.packed.specs import FeatureSpec, GraphSpec, LayerSpec

VERSION = 2
# No count in a header may be larger: products of two stay below 2**63.
_LARGEST = 2**31 - 1
_MAX_BUCKETS = 256
_MAX_LAYERS = 1024

_T = TypeVar("_T")


@dataclass(frozen=True)
class LayerHeader:
    """One layer of a header."""

    kind: LayerKind
    spec: LayerSpec
    out_features: int
    activation: Activation
    input_bits: tuple[int, ...]
    embedding_bits: tuple[int, ...]
    attention_bits: tuple[int, ...]
    weight_bits: int
    bias: bool
    concat: bool
    slope: float
    aggregation: Aggregation | None
    learns_beta: bool


@dataclass(frozen=True)
class Header:
    """A checked header."""

    graph: GraphSpec
    split_points: tuple[int, ...]
    normalize_rows: bool
    layers: tuple[LayerHeader, ...]
    classes: tuple[str, ...]
    source: dict[str, Any]


def describe(model: PackedModel) -> str:
    """The header of a model."""
    graph = asdict(model.graph.spec)
    features = graph.pop("features")
    return json.dumps(
        {
            "version": VERSION,
            "graph": {**graph, "split_points": model.graph.split_points},
            "features": {
                **features,
                "normalize_rows": model.features.normalize_rows,
                "bits": model.layers[0].inputs.bits,
            },
            "layers": [
                _describe_layer(layer, reads_features=position == 0)
                for position, layer in enumerate(model.layers)
            ],
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
    if version != VERSION or isinstance(version, bool):
        raise ArtifactError(f"the header has version {version!r}; this runtime reads {VERSION}")
    graph = _graph(_dict(root, "graph"), _dict(root, "features"))
    listed = _list(root, "layers", _MAX_LAYERS)
    feature_bits = _widths(_dict(root, "features"), "bits", graph.num_buckets)
    layers = tuple(
        _layer(node, graph.num_buckets, feature_bits if position == 0 else None)
        for position, node in enumerate(listed)
    )
    classes = tuple(_list(root, "classes", _LARGEST))
    _check_chain(layers, graph, len(classes))
    fault = class_names_fault(classes, len(classes))
    if fault is not None:
        raise ArtifactError(f"classes {fault}")
    points = _ints(_dict(root, "graph"), "split_points")
    if len(points) != graph.num_buckets - 1 or list(points) != sorted(set(points)):
        raise ArtifactError("split_points must increase, one fewer than there are buckets")
    normalize = _bool(_dict(root, "features"), "normalize_rows")
    return Header(graph, points, normalize, layers, classes, _dict(root, "source"))


def _describe_layer(layer: PackedLayer, *, reads_features: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": layer.kind,
        "name": layer.spec.name,
        "in": layer.spec.in_features,
        "out": layer.out_features,
        "activation": layer.activation,
        "bias": layer.bias is not None,
        "bits": {},
    }
    if not reads_features:
        entry["bits"]["embedding"] = layer.inputs.bits
    elif isinstance(layer, ConvLayer):
        entry["bits"]["embedding"] = layer.transformed.bits
    if isinstance(layer, AttentionConvLayer | AgnnLayer):
        entry["bits"]["attention"] = layer.attention.bits
    if isinstance(layer, WeightedLayer):
        entry["bits"]["weight"] = layer.weight.bits
    if isinstance(layer, GatLayer):
        entry |= {
            "heads": layer.spec.heads,
            "concat": layer.concat,
            "slope": layer.negative_slope,
        }
    if isinstance(layer, SageLayer):
        entry |= {"aggregation": layer.aggregation, "root_weight": layer.root is not None}
    if isinstance(layer, AgnnLayer):
        entry["beta"] = layer.spec.vector_elements == 1
    return entry


def _graph(node: Mapping[str, Any], features: Mapping[str, Any]) -> GraphSpec:
    nodes = _ints(node, "bucket_nodes")
    if not 1 <= len(nodes) <= _MAX_BUCKETS or not 1 <= sum(nodes) <= _LARGEST:
        raise ArtifactError(f"bucket_nodes holds {len(nodes)} buckets of {sum(nodes)} nodes")
    spec = GraphSpec(
        bucket_nodes=nodes,
        bucket_in_edges=_ints(node, "bucket_in_edges", len(nodes)),
        bucket_out_edges=_ints(node, "bucket_out_edges", len(nodes)),
        max_in_degree=_int(node, "max_in_degree"),
        symmetric=_bool(node, "symmetric"),
        features=FeatureSpec(
            num_features=_int(features, "num_features", 1),
            dense=_bool(features, "dense"),
            bucket_values=_ints(features, "bucket_values", len(nodes)),
            bucket_constant=_bools(features, "bucket_constant", len(nodes)),
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


def _layer(node: Any, buckets: int, feature_bits: tuple[int, ...] | None) -> LayerHeader:
    if not isinstance(node, dict):
        raise ArtifactError("layers holds something that is no layer")
    kind = _choice(LayerKind, node, "kind")
    name = node.get("name")
    if not isinstance(name, str) or not name:
        raise ArtifactError("a layer has no name")
    bits = _dict(node, "bits")
    is_gat, is_agnn = kind is LayerKind.GAT, kind is LayerKind.AGNN
    concat, beta = is_gat and _bool(node, "concat"), is_agnn and _bool(node, "beta")
    spec = _layer_spec(kind, name, node, concat=concat, beta=beta)
    has_embedding = spec.transformed_features or feature_bits is None
    embedding_bits = _widths(bits, "embedding", buckets) if has_embedding else ()
    return LayerHeader(
        kind=kind,
        spec=spec,
        out_features=_int(node, "out", 1),
        activation=_choice(Activation, node, "activation"),
        input_bits=embedding_bits if feature_bits is None else feature_bits,
        embedding_bits=embedding_bits,
        attention_bits=_widths(bits, "attention", buckets) if spec.heads else (),
        weight_bits=_width(bits.get("weight"), "weight") if spec.weight_shape else 0,
        bias=_bool(node, "bias"),
        concat=concat,
        slope=_slope(node) if is_gat else 0.0,
        aggregation=_choice(Aggregation, node, "aggregation") if kind is LayerKind.SAGE else None,
        learns_beta=beta,
    )


def _layer_spec(
    kind: LayerKind, name: str, node: Mapping[str, Any], *, concat: bool, beta: bool
) -> LayerSpec:
    width, out, bias = _int(node, "in", 1), _int(node, "out", 1), _bool(node, "bias")
    if kind is LayerKind.AGNN:
        if out != width or bias:
            raise ArtifactError(f"{name}: an AGNN layer keeps its width and has no bias")
        return agnn_spec(name, width, learns_beta=beta)
    if kind is LayerKind.GAT:
        heads = _int(node, "heads", 1)
        if concat and out % heads:
            raise ArtifactError(f"{name}: {out} features are no multiple of {heads} heads")
        channels = out // heads if concat else out
        return gat_spec(name, width, channels, heads, concat=concat, bias=bias)
    if kind is LayerKind.SAGE:
        root = _bool(node, "root_weight")
        return sage_spec(name, width, out, root_weight=root, bias=bias)
    make = {LayerKind.GCN: gcn_spec, LayerKind.GIN: gin_spec}.get(kind, linear_spec)
    return make(name, width, out, bias=bias)


def _check_chain(layers: tuple[LayerHeader, ...], graph: GraphSpec, classes: int) -> None:
    if not layers:
        raise ArtifactError("the header has no layers")
    names = [layer.spec.name for layer in layers]
    if len(set(names)) != len(names):
        raise ArtifactError("two layers have the same name")
    if FEATURES in names:
        raise ArtifactError(f"a layer is called {FEATURES!r}, as the node features are")
    if layers[0].kind is LayerKind.AGNN:
        raise ArtifactError(f"{names[0]}: an AGNN layer cannot read the node features")
    width = graph.features.num_features
    for layer in layers:
        if layer.spec.in_features != width:
            raise ArtifactError(
                f"{layer.spec.name} reads {layer.spec.in_features} features; it is given {width}"
            )
        width = layer.out_features
    if width != classes:
        raise ArtifactError(f"the last layer gives {width} features for {classes} classes")


def _slope(node: Mapping[str, Any]) -> float:
    value = node.get("slope")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise ArtifactError(f"slope is {value!r}; it must be a finite number")
    return float(value)


def _dict(node: Mapping[str, Any], key: str) -> dict[str, Any]:
    value: dict[str, Any] = _typed(node, key, lambda v: isinstance(v, dict), "an object")
    return value


def _list(node: Mapping[str, Any], key: str, longest: int) -> list[Any]:
    value: list[Any] = _typed(
        node, key, lambda v: isinstance(v, list) and len(v) <= longest, "a list"
    )
    return value


def _bool(node: Mapping[str, Any], key: str) -> bool:
    value: bool = _typed(node, key, lambda v: isinstance(v, bool), "true or false")
    return value


def _int(node: Mapping[str, Any], key: str, least: int = 0) -> int:
    value: int = _typed(node, key, lambda v: _is_count(v, least), f"an integer from {least} on")
    return value


def _ints(node: Mapping[str, Any], key: str, length: int | None = None) -> tuple[int, ...]:
    return _several(node, key, length, lambda v: _is_count(v, 0), "integers from 0 on")


def _bools(node: Mapping[str, Any], key: str, length: int) -> tuple[bool, ...]:
    return _several(node, key, length, lambda v: isinstance(v, bool), "true or false")


def _widths(node: Mapping[str, Any], key: str, length: int) -> tuple[int, ...]:
    return _several(node, key, length, is_bit_width, "bit-widths")


def _width(value: Any, key: str) -> int:
    if not is_bit_width(value):
        raise ArtifactError(f"{key} is {value!r}; it must be a bit-width")
    return int(value)


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= _LARGEST


def _several(
    node: Mapping[str, Any], key: str, length: int | None, is_fine: Callable[[Any], bool], what: str
) -> tuple[Any, ...]:
    values: Any = node.get(key)
    fits = isinstance(values, list) and len(values) <= (length or _MAX_BUCKETS)
    if not fits or (length not in (None, len(values))) or not all(map(is_fine, values)):
        count = "" if length is None else f"{length} "
        raise ArtifactError(f"{key} must be a list of {count}{what}")
    return tuple(values)


def _typed(node: Mapping[str, Any], key: str, is_fine: Callable[[Any], bool], what: str) -> Any:
    value = node.get(key)
    if not is_fine(value):
        raise ArtifactError(f"{key} is {str(value)[:60]!r}; it must be {what}")
    return value


def _choice(kind: type[_T], node: Mapping[str, Any], key: str) -> _T:
    try:
        return kind(node.get(key))  # type: ignore[call-arg]
    except ValueError as error:
        raise ArtifactError(
            f"{key} is {node.get(key)!r}, which this runtime does not know"
        ) from error
