"""Programs that mutants found: refused with one line, or as small as they are told to be."""

import json
from pathlib import Path
from typing import Any

import pytest
from headers import header_of, linear, peak_of, written

from sgq_auto.packed import ArtifactError, load
from sgq_auto.packed.artifact.artifact_file import header
from sgq_auto.packed.artifact.memory_cost import needed_bytes

_MIB = 1 << 20
_LOGITS = [{"value": 0, "buffer": None}]


def _program(nodes: int, layers: list[dict[str, Any]], *stages: dict[str, Any]) -> dict[str, Any]:
    """A header of version 3: stages of layers, each with operations and outputs."""
    root = header_of(nodes, layers)
    for layer in layers:
        del layer["activation"]
    both = zip(layers, stages, strict=True)
    listed = [{"layer": la["name"], "operations": [], **stage} for la, stage in both]
    return root | {"version": 3, "skips": {}, "stages": listed}


def _message(root: dict[str, Any]) -> str:
    with pytest.raises(ArtifactError) as caught:
        header.parse(json.dumps(root))
    return str(caught.value)


def _loaded_with(root: dict[str, Any], path: Path) -> str:
    """What is said of a file whose header is another one."""
    written(header_of(4, [linear("a", 2, 2, first=True)]), path)
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    outer = json.loads(raw[8 : 8 + size])
    outer["__metadata__"]["sgq_auto"] = json.dumps(root)
    head = json.dumps(outer).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + raw[8 + size :])
    with pytest.raises(ArtifactError) as caught:
        load(path)
    return str(caught.value)


def test_a_layer_runs_after_what_it_reads_is_written(tmp_path: Path) -> None:
    # All is as wide as the features, so that a layer fits whatever it reads.
    layers = [linear("a", 3, 3, first=True), linear("b", 3, 3), linear("c", 3, 3)]
    to_b, to_c = ([{"value": 0, "buffer": f"{name}.input"}] for name in "bc")
    root = _program(4, layers, {"outputs": to_b}, {"outputs": to_c}, {"outputs": _LOGITS})
    assert load(written(root, tmp_path / "fine.safetensors")).predict().shape == (4, 3)
    root["stages"][0]["outputs"], root["stages"][1]["outputs"] = to_c, to_b
    assert _message(root) == "b runs before b.input is written"


def test_no_skip_connection_is_called_as_the_weights_of_edges() -> None:
    layers = [linear("a", 2, 2, first=True), linear("b", 2, 2)]
    handed = [{"value": 0, "buffer": "b.input"}, {"value": 0, "buffer": "edge_weight"}]
    read = [{"kind": "read", "inputs": [], "buffer": "edge_weight"}]
    root = _program(4, layers, {"outputs": handed}, {"operations": read, "outputs": _LOGITS})
    root["skips"] = {"edge_weight": {"features": 2, "bits": [4]}}
    assert "is called 'edge_weight', as something else is" in _message(root)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\u202eevil", "\ud800"])
def test_names_of_a_file_steer_no_terminal(name: str, tmp_path: Path) -> None:
    layers = [linear("a", 2, 2, first=True), linear(name, 7, 2)]
    message = _loaded_with(header_of(4, layers), tmp_path / "a.safetensors")
    assert message.isprintable()
    assert "reads 7 features" in message


def test_a_long_entry_makes_no_long_line(tmp_path: Path) -> None:
    root = header_of(4, [linear("a", 2, 2, first=True)]) | {"version": ["x"] * 10_000}
    path = tmp_path / "a.safetensors"
    assert len(_loaded_with(root, path)) < 400 + len(str(path))


def test_many_values_of_a_stage_take_no_more_than_is_told(tmp_path: Path) -> None:
    operations: list[dict[str, Any]] = [
        {"kind": "scale", "inputs": [0], "factor": 1.0, "shift": float(k)} for k in range(200)
    ]
    operations.append({"kind": "maximum", "inputs": list(range(201))})
    last = [{"value": 201, "buffer": None}]
    layers = [linear("a", 1, 1, first=True)]
    root = _program(10_000, layers, {"operations": operations, "outputs": last})
    _check_peak(root, tmp_path / "many.safetensors")


def test_statistics_of_a_wide_value_take_no_more_than_is_told(tmp_path: Path) -> None:
    operations: list[dict[str, Any]] = [
        {"kind": "center_columns", "inputs": [0]},
        {"kind": "columns", "inputs": [1], "first": 0, "last": 1},
    ]
    layers, last = [linear("a", 1, 20_000, first=True)], [{"value": 2, "buffer": None}]
    root = _program(300, layers, {"operations": operations, "outputs": last})
    _check_peak(root | {"classes": ["one"]}, tmp_path / "wide.safetensors")


def _check_peak(root: dict[str, Any], path: Path) -> None:
    written(root, path)
    load(path).predict()
    told = needed_bytes(header.parse(json.dumps(root)))
    assert peak_of(lambda: load(path).predict()) < told + 3 * _MIB
