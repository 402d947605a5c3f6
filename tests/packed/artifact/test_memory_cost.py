"""What a file costs is told before it is paid: well-formed headers that ask for far too much."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import Case
from headers import (
    TYPES,
    header_of,
    linear,
    peak_of,
    with_edge_values,
    with_edges,
    written,
)
from random_models import RandomModels
from safetensors.numpy import save_file

from sgq_auto.packed import ArtifactError, load, save
from sgq_auto.packed.artifact.artifact_file import _checksum, header
from sgq_auto.packed.artifact.memory_cost import needed_bytes
from sgq_auto.packed.artifact.tensor_shapes import expected_tensors

_MIB = 1 << 20


def _refused(path: Path) -> str:
    def load_it() -> None:
        with pytest.raises(ArtifactError) as caught:
            load(path)
        messages.append(str(caught.value))

    messages: list[str] = []
    assert peak_of(load_it) < 8 * _MIB + 4 * path.stat().st_size
    assert "\n" not in messages[0]
    return messages[0]


@pytest.mark.parametrize("nodes", [2_000_000, 60_000_000, 2**31 - 1])
@pytest.mark.parametrize("sparse", [False, True])
def test_nodes_without_a_byte_are_refused(nodes: int, sparse: bool, tmp_path: Path) -> None:
    features = {"dense": False, "bucket_values": [0]} if sparse else {"bucket_values": [nodes]}
    root = header_of(nodes, [linear("a", 1, 1, first=True)], **features)
    message = _refused(written(root, tmp_path / "nodes.safetensors"))
    assert "bytes to load and predict; 67108864 are allowed" in message
    assert "max_bytes=" in message


def test_a_limit_that_is_given_counts(tmp_path: Path) -> None:
    root = header_of(2_000_000, [linear("a", 1, 1, first=True)])
    path = written(root, tmp_path / "nodes.safetensors")
    needed = needed_bytes(header.parse(json.dumps(root)))
    assert load(path, max_bytes=needed).num_nodes == 2_000_000
    with pytest.raises(ArtifactError, match=f"max_bytes={needed}"):
        load(path, max_bytes=needed - 1)


def test_widths_that_no_tensor_has_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wide.safetensors"
    layers = [linear("a", 1, 2**31 - 1, first=True), linear("b", 2**31 - 1, 1)]
    root = json.dumps(header_of(1, layers))
    tensors = {"a.weight": np.zeros(1, np.uint8)}
    save_file(tensors, path, {"sgq_auto": root, "sha256": _checksum(root, tensors)})
    assert "tensor a.scales is missing" in _refused(path)


@pytest.mark.parametrize("bits", [1, 32])
def test_loading_is_linear_in_channels(bits: int, tmp_path: Path) -> None:
    wide = 40_000
    layers = [linear("a", 1, wide, bits=bits, first=True), linear("b", wide, 1, bits=bits)]
    path = written(header_of(1, layers), tmp_path / "wide.safetensors")
    start = time.process_time()
    peak = peak_of(lambda: load(path).predict())
    # The square of the channels took 160 seconds.
    assert time.process_time() - start < 8
    assert peak < 64 * _MIB


def test_loading_is_linear_in_layers_and_buckets(tmp_path: Path) -> None:
    layers = [linear("l0", 1, 1, first=True), *(linear(f"l{k}", 1, 1) for k in range(1, 250))]
    for layer in layers[1:]:
        layer["bits"]["embedding"] = [1] * 256
    root = header_of(1, layers, bits=[1] * 256, bucket_values=[1] + [0] * 255)
    root["features"]["bucket_constant"] = [True] * 256
    for key in ("bucket_nodes", "bucket_in_edges", "bucket_out_edges"):
        root["graph"][key] = [1] + [0] * 255
    root["graph"]["split_points"] = list(range(255))
    path = written(root, tmp_path / "deep.safetensors")
    start = time.process_time()
    load(path)
    assert time.process_time() - start < 8


@pytest.mark.parametrize("model", ["gcn", "gat", "agnn", "sage", "gin"])
def test_an_honest_model_costs_no_more_than_is_told(
    model: str, small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save(small_case(model).packed, path)
    load(path).predict()
    parsed = header.parse(header.describe(load(path)))
    assert peak_of(lambda: load(path).predict()) < needed_bytes(parsed) + 3 * _MIB


@pytest.mark.parametrize(("features", "channels"), [(40, 3), (3, 2_000)])
def test_features_of_edges_cost_no_more_than_is_told(
    features: int, channels: int, tmp_path: Path
) -> None:
    layer = {"kind": "gat", "name": "a", "in": 1, "out": channels, "heads": 1, "concat": True}
    layer |= {"activation": "none", "bias": False, "slope": 0.2, "edge_features": features}
    layer["bits"] = {"weight": 1, "embedding": [1], "attention": [1]}
    root = header_of(200, [layer])
    edges = with_edges(root, ~np.eye(200, dtype=bool))
    with_edge_values(root, features, bits=1)
    path = written(root, tmp_path / "model.safetensors", edges)
    load(path).predict()
    assert peak_of(lambda: load(path).predict()) < needed_bytes(header.parse(json.dumps(root))) + (
        3 * _MIB
    )


def test_a_graph_of_the_size_of_reddit_is_within_the_default() -> None:
    nodes, edges, width = 232_965, 114_615_892, 602
    layers = [
        {"kind": "gat", "name": "conv1", "in": width, "out": 64, "heads": 8, "concat": True},
        {"kind": "gat", "name": "conv2", "in": 64, "out": 41, "heads": 1, "concat": False},
    ]
    for layer in layers:
        layer |= {"activation": "elu", "bias": True, "slope": 0.2}
        layer["bits"] = {"weight": 8, "embedding": [32], "attention": [32]}
    root = header_of(nodes, layers, bits=[1], bucket_constant=[False])
    root["graph"] |= {"bucket_in_edges": [edges + nodes], "bucket_out_edges": [edges + nodes]}
    root["graph"] |= {"max_in_degree": 21_657, "symmetric": True}
    parsed = header.parse(json.dumps(root))
    shapes = expected_tensors(parsed).values()
    size = sum(int(np.prod(shape)) * TYPES[kind](0).nbytes for kind, shape in shapes)
    assert needed_bytes(parsed) < 64 * size


@pytest.mark.parametrize("value", [3e38, -3.4e38])
def test_ranges_that_end_beyond_fp32_are_refused(value: float, tmp_path: Path) -> None:
    path, random = tmp_path / "model.safetensors", RandomModels(np.random.default_rng(3))
    save(random.model(), path)
    root = header_of(1, [linear("a", 1, 2, first=True)])
    text = json.dumps(root)
    shapes = expected_tensors(header.parse(text))
    tensors = {n: np.zeros(s, TYPES[t]) for n, (t, s) in shapes.items()}
    tensors["a.scales"][:] = [abs(value), value]
    save_file(tensors, path, {"sgq_auto": text, "sha256": _checksum(text, tensors)})
    if value > 0:
        assert "a.scales holds a range that ends beyond fp32" in _refused(path)
    else:
        assert np.isfinite(load(path).predict()).all()
