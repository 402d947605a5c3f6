"""The header of an artifact: everything about a packed model but its codes, as JSON.

Version 2 says a chain of layers that classifies nodes, version 3 any program. Both have these
entries:

- ``graph``: ``bucket_nodes``, ``bucket_in_edges``, ``bucket_out_edges`` (a list, one number a
  degree bucket; self-loops counted), ``max_in_degree``, ``symmetric``, ``split_points``; and, only
  in a model for other graphs, ``inductive``: the counts are those of the largest graph that it was
  made for, and the file holds no ``edges``, ``bucket_map``, ``features`` or values of edge weights;
  or, where ``fixed`` is there too, of these no ``features`` alone;
- ``features``: ``num_features``, ``dense``, ``bucket_values``, ``bucket_constant``,
  ``normalize_rows``, ``bits`` (a list), and ``scaled`` (true) only where columns are scaled;
- ``layers``, in order: ``kind`` (as in :mod:`sgq_auto.packed.runtime.layers.layer_kinds`),
  ``name``, ``in``, ``out``, ``activation`` (version 2), ``bits`` (``embedding``
  and ``attention`` a list, ``weight`` a number; a layer that reads the features has those of its
  transformed embedding, if any; a layer after a pooling has one number in each list), ``bias``, and
  what the kind adds: ``parse`` of its class reads that;
- ``skips`` and ``stages`` (version 3): see :mod:`sgq_auto.packed.artifact.stage_headers`;
- ``edge_weights``, only where layers read weights of edges (such a layer has ``edge_weights``
  true) or features of edges (``edge_features``, how many): ``symmetric``, ``stored`` (how many
  edges' the file holds, of each bucket), ``columns`` where there are several, ``bits``;
- ``task`` (without it ``node_classification``) and ``target_scale``, only where numbers are
  predicted and the model returns them as mean 0 and spread 1: ``mean`` and ``std``, lists;
- ``classes``: their names, or those of labels or numbers (numbers where none are known),
  different and printable;
- ``source``: where the model came from, free of form.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.artifact.edge_weight_header import (
    check_readers,
    described_weights,
    with_edge_weights,
)
from sgq_auto.packed.artifact.graph_header import parse_graph
from sgq_auto.packed.artifact.layer_headers import (
    LayerHeader,
    check_layers,
    describe_layer,
    parse_layer,
)
from sgq_auto.packed.artifact.output_header import (
    class_names_fault,
    describe_task,
    parse_task,
)
from sgq_auto.packed.artifact.stage_checks import Widths, check_graphs, check_stages
from sgq_auto.packed.artifact.stage_headers import (
    SkipHeader,
    StageHeader,
    chain_activations,
    chain_stages,
    describe_program,
    graph_buffers,
    parse_skips,
    parse_stages,
    written_buffers,
)
from sgq_auto.packed.header_fields import (
    LARGEST_COUNT,
    bit_widths,
    counts,
    flag,
    list_of,
    object_of,
)
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.runtime.target_units import TargetUnits
from sgq_auto.packed.sizes.shape_specs import GraphSpec
from sgq_auto.task import Task

CHAIN_VERSION, VERSION = 2, 3
_MAX_LAYERS = 1024


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
    task: Task = Task.NODE_CLASSIFICATION
    target_scale: TargetUnits | None = None


def describe(model: PackedModel) -> str:
    """The header of a model."""
    graph, program = asdict(model.graph.spec), model.program
    features = graph.pop("features")
    if not features["scaled"]:
        del features["scaled"]  # As earlier versions wrote it.
    del graph["weights"]
    for name in ("inductive", "fixed"):
        if not graph[name]:
            del graph[name]  # As earlier versions wrote it.
    del graph["num_graphs"]  # It is one.
    # A runtime that knows chains alone would take other outputs for those of classes.
    of_classes = model.task is Task.NODE_CLASSIFICATION
    held, activations = {}, chain_activations(program) if of_classes else None
    if isinstance(model.graph.weights, PackedEdgeWeights):
        assert model.graph.spec.weights is not None
        held = described_weights(model.graph.weights, model.graph.spec.weights)
    layers = [
        describe_layer(layer, activation, program.reads_features(layer.spec.name))
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
            **describe_task(model.task, model.target_units),
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
    root = _root(text)
    graph = parse_graph(object_of(root, "graph"), object_of(root, "features"))
    graph, weight_bits = with_edge_weights(root, graph)
    feature_bits = bit_widths(object_of(root, "features"), "bits", graph.num_buckets)
    listed = list_of(root, "layers", _MAX_LAYERS)
    if any(not isinstance(node, dict) for node in listed):
        raise ArtifactError("layers holds something that is no layer")
    is_chain = root["version"] == CHAIN_VERSION
    stages = chain_stages(listed) if is_chain else parse_stages(root)
    buffers = written_buffers(stages), graph_buffers(stages)
    skips = {} if is_chain else parse_skips(root, graph.num_buckets, buffers[1])
    layers = tuple(parse_layer(node, graph.num_buckets, feature_bits, *buffers) for node in listed)
    check_layers(layers)
    check_graphs(stages)
    check_readers(graph, [layer.spec for layer in layers])
    classes = tuple(list_of(root, "classes", LARGEST_COUNT))
    checked = check_stages(stages, skips, _widths(graph, layers, len(classes)))
    task, scale = parse_task(root, len(classes))
    fault = class_names_fault(classes, len(classes))
    if fault is not None:
        raise ArtifactError(f"classes {fault}")
    return Header(
        graph=graph,
        split_points=_split_points(object_of(root, "graph"), graph.num_buckets),
        normalize_rows=flag(object_of(root, "features"), "normalize_rows"),
        feature_bits=feature_bits,
        layers=layers,
        stages=checked,
        skips=skips,
        classes=classes,
        source=object_of(root, "source"),
        edge_weight_bits=weight_bits,
        task=task,
        target_scale=scale,
    )


def _root(text: str) -> dict[str, Any]:
    """The JSON object of a header of a version that this runtime reads."""
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
    return root


def _widths(graph: GraphSpec, layers: tuple[LayerHeader, ...], classes: int) -> Widths:
    return Widths(
        features=graph.features.num_features,
        inputs={layer.spec.name: layer.spec.in_features for layer in layers},
        outputs={layer.spec.name: layer.out_features for layer in layers},
        classes=classes,
        further={layer.spec.name: layer.kind.further_inputs for layer in layers},
    )


def _split_points(graph: Mapping[str, Any], buckets: int) -> tuple[int, ...]:
    points = counts(graph, "split_points")
    if len(points) != buckets - 1 or list(points) != sorted(set(points)):
        raise ArtifactError("split_points must increase, one fewer than there are buckets")
    return points
