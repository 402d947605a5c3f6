"""The graph and the features in a header, read and checked."""

from collections.abc import Mapping
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.header_fields import (
    LARGEST_COUNT,
    MAX_BUCKETS,
    count,
    counts,
    flag,
    flags,
)
from sgq_auto.packed.sizes.shape_specs import FeatureSpec, GraphSpec


def parse_graph(node: Mapping[str, Any], features: Mapping[str, Any]) -> GraphSpec:
    """The counts of a graph and its features, without weights of edges.

    Raises:
        ArtifactError: If a count contradicts another one.
    """
    nodes = counts(node, "bucket_nodes")
    if not 1 <= len(nodes) <= MAX_BUCKETS or not 1 <= sum(nodes) <= LARGEST_COUNT:
        raise ArtifactError(f"bucket_nodes holds {len(nodes)} buckets of {sum(nodes)} nodes")
    spec = GraphSpec(
        bucket_nodes=nodes,
        bucket_in_edges=counts(node, "bucket_in_edges", len(nodes)),
        bucket_out_edges=counts(node, "bucket_out_edges", len(nodes)),
        max_in_degree=count(node, "max_in_degree"),
        symmetric=flag(node, "symmetric"),
        inductive="inductive" in node and flag(node, "inductive"),
        fixed="fixed" in node and flag(node, "fixed"),
        features=FeatureSpec(
            num_features=count(features, "num_features", 1),
            dense=flag(features, "dense"),
            bucket_values=counts(features, "bucket_values", len(nodes)),
            bucket_constant=flags(features, "bucket_constant", len(nodes)),
            scaled="scaled" in features and flag(features, "scaled"),
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
    if spec.fixed and not spec.inductive:
        raise ArtifactError("fixed is for a model that is given features; it says no inductive")
    if spec.max_in_degree >= spec.num_nodes or (spec.symmetric and spec.num_edges % 2):
        raise ArtifactError("max_in_degree or symmetric does not fit the edges")
