"""Damaged and lying artifacts: refused with one line, or they predict what they always did."""

import contextlib
import json
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case
from safetensors.numpy import load_file, save_file

from sgq_auto.packed import ArtifactError, load, save
from sgq_auto.packed.artifact.artifact_file import _checksum
from sgq_auto.packed.backends import NumpyEngine, fastest_engine

Edit = Callable[[dict[str, Any], dict[str, np.ndarray]], None]
_MAX_BYTES = 64 << 20
_LIES = 24


@pytest.fixture(scope="session")
def artifact(
    small_case: Callable[[str], Case], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("artifacts")

    def make(model: str) -> Path:
        path = folder / f"{model}.safetensors"
        if not path.exists():
            save(small_case(model).packed, path)
        return path

    return make


def _edited(source: Path, target: Path, edit: Edit) -> Path:
    """A copy with other contents and a right checksum: a lie, not an accident."""
    tensors = load_file(source)
    raw = source.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["sgq_auto"])
    edit(header, tensors)
    text = json.dumps(header)
    save_file(tensors, target, {"sgq_auto": text, "sha256": _checksum(text, tensors)})
    return target


def _refused(path: Path) -> str:
    tracemalloc.start()
    with pytest.raises(ArtifactError) as caught:
        load(path).predict()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < _MAX_BYTES
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def _random_mutation(data: bytes, random: np.random.Generator) -> bytes:
    kind, at = random.integers(5), int(random.integers(len(data)))
    flipped = bytes([data[at] ^ (1 << int(random.integers(8)))])
    length = int(random.integers(1, 40))
    return {
        0: data[:at] + flipped + data[at + 1 :],
        1: data[:at],
        2: data[:at] + data[at + length :],
        3: data[:at] + random.bytes(length) + data[at:],
        4: data[:at] + random.bytes(length) + data[at + length :],
    }[int(kind)]


def _check_damage(path: Path, folder: Path, count: int) -> None:
    data, expected = path.read_bytes(), load(path).predict()
    random = np.random.default_rng(7)
    mutant = folder / "mutant.safetensors"
    accepted = 0
    tracemalloc.start()
    for k in range(count):
        # The first one is a copy: a reader that refuses all files must not pass.
        mutant.write_bytes(_random_mutation(data, random) if k else data)
        with contextlib.suppress(ArtifactError):
            np.testing.assert_array_equal(load(mutant).predict(), expected)
            accepted += 1
    assert tracemalloc.get_traced_memory()[1] < _MAX_BYTES
    tracemalloc.stop()
    assert 1 <= accepted <= count // 100


def test_random_damage_is_noticed(artifact: Callable[[str], Path], tmp_path: Path) -> None:
    _check_damage(artifact("gcn"), tmp_path, 600)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    ["gcn", "gat", "agnn", "sage", "gin", "gatv2", "transformer", "sage_many", "pna", "gcn2"],
)
def test_random_damage_is_noticed_20000_times(
    model: str, artifact: Callable[[str], Path], tmp_path: Path
) -> None:
    _check_damage(artifact(model), tmp_path, 7_000)


def _random_lie(random: np.random.Generator) -> Edit:
    """Other bytes in one tensor, of any kind: codes, scales, biases, the graph."""

    def edit(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:  # noqa: ARG001
        name = str(random.choice(sorted(tensors)))
        raw = bytearray(tensors[name].tobytes())
        for at in random.integers(len(raw), size=int(random.integers(1, 4))):
            raw[at] = int(random.integers(256))
        tensors[name] = np.frombuffer(raw, tensors[name].dtype).reshape(tensors[name].shape)

    return edit


@pytest.mark.parametrize(
    "model",
    [
        *("gcn", "gat", "gcn2"),
        *(pytest.param(m, marks=pytest.mark.slow) for m in ("agnn", "sage", "gin", "appnp", "tag")),
    ],
)
def test_random_lies_are_refused_or_mean_the_same_to_every_engine(
    model: str, artifact: Callable[[str], Path], tmp_path: Path
) -> None:
    random, source = np.random.default_rng(7), artifact(model)
    true, mutant = load(source).predict(), tmp_path / "lie.safetensors"
    accepted = changed = 0
    for _ in range(_LIES):
        _edited(source, mutant, _random_lie(random))
        try:
            model_read = load(mutant)
        except ArtifactError:
            continue
        logits, others = (
            replace(model_read, engine=engine).predict().astype(np.float64)
            for engine in (NumpyEngine(), fastest_engine())
        )
        # Scales of any size make logits of any size.
        np.testing.assert_allclose(logits, others, rtol=1e-4, atol=1e-5 * np.abs(logits).max())
        accepted += 1
        changed += not np.array_equal(logits, true)
    # Codes, scales and biases may be any; the graph and the features' pattern may not.
    assert _LIES // 4 < accepted < _LIES
    assert changed > _LIES // 8


def _set(*keys: str | int, to: Any) -> Edit:
    def edit(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:  # noqa: ARG001
        node: Any = header
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = to

    return edit


def _fill(name: str, value: float) -> Edit:
    def edit(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:  # noqa: ARG001
        tensors[name] = np.full_like(tensors[name], value)

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set("version", to=1), "version 1"),
        (_set("version", to=True), "version True"),
        (_set("version", to=2.0), "version 2.0"),
        (_set("graph", to=[]), "graph is"),
        (_set("graph", "bucket_nodes", to=[300]), "bucket_in_edges"),
        (_set("graph", "bucket_nodes", 0, to=2**31 - 1), "bucket_nodes"),
        (_set("graph", "bucket_nodes", 0, to=10**30), "bucket_nodes"),
        (_set("graph", "bucket_nodes", 0, to=-1), "bucket_nodes"),
        (_set("graph", "max_in_degree", to=7), "edges"),
        (_set("graph", "symmetric", to=False), "edges"),
        (_set("graph", "split_points", to=[4, 4, 16]), "split_points"),
        (_set("features", "num_features", to=2**31 - 1), "tensor"),
        (_set("features", "num_features", to=10), "bucket_values|reads"),
        (_set("features", "dense", to=True), "bucket_values"),
        (_set("features", "bucket_values", 0, to=3), "tensor"),
        (_set("features", "bits", to=[1, 2, 3]), "bits must be a list of 4"),
        (_set("features", "bits", to=4), "bits must be a list of 4"),
        (_set("features", "bits", 0, to=31), "bits must be a list of 4"),
        (_set("features", "bits", 0, to=True), "bits must be a list of 4"),
        (_set("layers", to=[]), "no layers"),
        (_set("layers", 0, "name", to="features"), "called 'features'"),
        (_set("layers", 0, "kind", to="exec"), "kind"),
        (_set("layers", 0, "name", to="conv2"), "same name"),
        (_set("layers", 0, "out", to=2**31 - 1), "tensor|reads"),
        (_set("layers", 0, "activation", to="sin"), "activation"),
        (_set("layers", 0, "bits", "weight", to=31), "bit-width"),
        (_set("layers", 0, "bits", "embedding", to=[1, 2, 3]), "embedding"),
        (_set("classes", to=["a"]), "classes"),
        (_set("classes", to=["a", "b", "c", 3]), "classes"),
        (_set("classes", to=["a", "b", "c", "a"]), "classes"),
        (_set("classes", to=["a", "b", "c", "\x1b[2J"]), "classes"),
        (_set("classes", to=["a", "b", "c", "\ud800"]), "classes"),
        (_fill("conv1.scales", np.nan), "NaN"),
        (_fill("conv1.scales", -1.0), "above 0"),
        (_fill("conv1.bias", np.inf), "NaN or infinite"),
        (_fill("edges.high", 255), "edges"),
        (_fill("edges.high", 0), "edges"),
        (_fill("edges.low", 0), "edges"),
        (_fill("features.low", 0), "features"),
        (_fill("bucket_map", 255), "bucket_map"),
    ],
)
def test_a_header_or_tensor_that_lies_is_refused(
    edit: Edit, message: str, artifact: Callable[[str], Path], tmp_path: Path
) -> None:
    path = _edited(artifact("gcn"), tmp_path / "lie.safetensors", edit)
    assert any(part in _refused(path) for part in message.split("|"))


@pytest.mark.parametrize(
    ("model", "edit", "message"),
    [
        ("sage", _set("layers", 0, "aggregation", to="max"), "aggregation is 'max'"),
        ("sage", _set("layers", 0, "aggregation", to=None), "aggregation is None"),
        ("sage", _set("layers", 0, "root_weight", to=1), "root_weight is '1'"),
        ("sage", _set("layers", 0, "root_weight", to=False), "tensor conv1."),
        ("sage", _set("layers", 0, "kind", to="gcn"), "attention"),
        ("sage", _set("layers", 1, "kind", to="linear"), "tensor conv2."),
        ("sage", _fill("conv1.bias", np.nan), "NaN"),
        ("gin", _fill("conv2.eps", np.inf), "NaN or infinite"),
        ("gin", _set("layers", 0, "kind", to="linear"), "tensor conv1."),
        ("gin", _set("layers", 1, "in", to=17), "conv1.nn.2 reads 17 features"),
    ],
)
def test_layers_that_lie_are_refused(
    model: str, edit: Edit, message: str, artifact: Callable[[str], Path], tmp_path: Path
) -> None:
    path = _edited(artifact(model), tmp_path / "lie.safetensors", edit)
    assert message in _refused(path)


def test_more_memory_than_allowed_is_refused(artifact: Callable[[str], Path]) -> None:
    with pytest.raises(ArtifactError, match="1000 are allowed"):
        load(artifact("gcn"), max_bytes=1000)


@pytest.mark.parametrize("content", [b"", b"1234567", b"\xff" * 64, b"\x00" * 64])
def test_what_is_no_artifact_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    path.write_bytes(content)
    _refused(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path)
    assert "no packed model" in _refused(path)
    with pytest.raises(ArtifactError, match="No such file"):
        load(tmp_path / "missing.safetensors")


def test_saving_writes_all_or_nothing(
    small_case: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tensors: Any, path: Path, metadata: Any) -> None:  # noqa: ARG001
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("sgq_auto.packed.artifact.artifact_file.save_file", broken)
    with pytest.raises(OSError, match="no space"):
        save(small_case("gcn").packed, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []
