"""The counts of a graph of another size, made like one that is known."""

from collections.abc import Sequence
from dataclasses import replace

from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec
from sgq_auto.packed.sizes.shape_specs import FeatureSpec, GraphSpec


def resized(spec: GraphSpec, nodes: int, edges: int) -> GraphSpec:
    """The counts of a graph of so many nodes and edges whose parts have the shares of another one.

    A device may be given larger graphs than those a model was searched on. Degree buckets, and
    feature values of each, get the share that they have in ``spec``.

    Args:
        spec: The graph that is known.
        nodes: Nodes of the other one.
        edges: Its edges between different nodes, each direction counted.

    Raises:
        ValueError: If edges go both ways in ``spec`` and ``edges`` is odd, or there are too many.
    """
    if spec.symmetric and edges % 2:
        raise ValueError("every edge goes both ways, so that their number is even")
    bucket_nodes = _divided(nodes, spec.bucket_nodes)
    loops = zip(spec.bucket_out_edges, spec.bucket_nodes, strict=True)
    out_edges = [both - own for both, own in loops]
    into = _with_loops(edges, spec.bucket_edges, bucket_nodes)
    if any(part > count * nodes for part, count in zip(into, bucket_nodes, strict=True)):
        raise ValueError("a degree bucket would have more edges than its nodes can have")
    average = -(-edges // nodes)
    return replace(
        spec,
        bucket_nodes=bucket_nodes,
        bucket_in_edges=into,
        bucket_out_edges=_with_loops(edges, out_edges, bucket_nodes),
        max_in_degree=min(nodes - 1, max(spec.max_in_degree, average)),
        features=_features(spec, bucket_nodes),
        weights=_weights(spec, edges),
    )


def _divided(total: int, shares: Sequence[int]) -> tuple[int, ...]:
    """A number in parts of given shares; what rounding leaves goes to the largest remainders."""
    whole = sum(shares)
    if not whole:
        return (total, *(0,) * (len(shares) - 1))
    parts = [total * share // whole for share in shares]
    missing = total - sum(parts)
    by_remainder = sorted(range(len(shares)), key=lambda k: -(total * shares[k] % whole))
    for place in by_remainder[:missing]:
        parts[place] += 1
    return tuple(parts)


def _with_loops(edges: int, shares: Sequence[int], nodes: Sequence[int]) -> tuple[int, ...]:
    """Edges in parts of given shares, one self-loop a node besides; none where no node is."""
    possible = [share if count else 0 for share, count in zip(shares, nodes, strict=True)]
    fallback = possible if sum(possible) else nodes
    parts = _divided(edges, fallback)
    return tuple(part + count for part, count in zip(parts, nodes, strict=True))


def _features(spec: GraphSpec, nodes: Sequence[int]) -> FeatureSpec:
    features = spec.features
    if features.dense:
        values = tuple(count * features.num_features for count in nodes)
    else:
        # Rounded up: a device has to have room for them.
        values = tuple(
            min(new * features.num_features, -(-new * stored // old) if old else 0)
            for new, old, stored in zip(
                nodes, spec.bucket_nodes, features.bucket_values, strict=True
            )
        )
    return replace(features, bucket_values=values)


def _weights(spec: GraphSpec, edges: int) -> EdgeWeightSpec | None:
    if spec.weights is None:
        return None
    stored = edges // 2 if spec.weights.symmetric else edges
    shares = spec.weights.stored if sum(spec.weights.stored) else spec.bucket_edges
    return replace(spec.weights, stored=_divided(stored, shares))
