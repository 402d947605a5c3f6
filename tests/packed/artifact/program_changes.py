"""Random changes of the program that a header says, and what makes its widths fit again."""

import contextlib
from typing import Any

import numpy as np
from header_changes import copied, one_of

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.runtime.operations.elementwise import Function
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.operations.operation_kinds import OPERATIONS
from sgq_auto.packed.runtime.operations.pooling import Pooling
from sgq_auto.packed.runtime.program import input_buffer, value_widths

_BITS = (*range(1, 17), 32)
_LAYERS = ("linear", "gcn", "gat", "sage", "gin", "agnn", "graph_conv")
# Names of new skip connections: one that is free, and some that may mean something else.
_SKIPS = ("new.skip", "new.skip", "edge_weight", "edges", "layer0", "a\nb", "layer0.transformed")
_NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.2, 1e-30, 1e-12, 1e-5, 1e3, -1e3, 1e15, 3.4e38, -3.4e38)
# What another kind of layer may want to read from an entry.
_LAYER_SETTINGS = {
    "heads": 2,
    "concat": True,
    "slope": 0.2,
    "aggregation": "mean",
    "root_weight": True,
    "beta": True,
}


def change_program(root: dict[str, Any], random: np.random.Generator) -> None:
    """Change one thing of the program, the layers or their bits, in place."""
    kinds = (_insert, _insert, _delete, _swap, _redirect, _redirect, _setting, _output, _stages)
    kinds += (_bits, _bits, _layer_kind, _layer_width, _features)
    if "num_graphs" in root["graph"]:
        kinds += (_graphs,)
    one_of(random, kinds)(root, random)


def repair(root: dict[str, Any]) -> None:
    """Let the widths of a header fit its operations, as far as they can, in place."""
    with contextlib.suppress(ArtifactError, KeyError, TypeError, ValueError, IndexError):
        if root["version"] == 2:
            for before, layer in zip(root["layers"], root["layers"][1:], strict=False):
                _give(layer, before["out"])
            _name_classes(root, root["layers"][-1]["out"])
        else:
            _repair_stages(root)


def _repair_stages(root: dict[str, Any]) -> None:
    layers = {layer["name"]: layer for layer in root["layers"]}
    held = {"features": root["features"]["num_features"]}
    for stage in root["stages"]:
        name = stage["layer"]
        if name is not None and input_buffer(name) not in held:
            _give(layers[name], held["features"])
        first = held["features"] if name is None else layers[name]["out"]
        widths = _repair_operations(stage["operations"], first, held)
        for output in stage["outputs"]:
            output["value"] %= len(widths)
            width, buffer = widths[output["value"]], output["buffer"]
            if buffer is None:
                _name_classes(root, width)
                continue
            if buffer in root["skips"]:
                root["skips"][buffer]["features"] = width
            else:
                _give(layers[buffer.removesuffix(".input")], width)
            held[buffer] = width


def _repair_operations(operations: list[Any], first: int, held: dict[str, int]) -> list[int]:
    """Let each operation read what is there and fits it; widths of all values."""
    described: list[Any] = []
    widths = [first]
    for op in list(operations):
        kind = OPERATIONS[op["kind"]]
        op["inputs"] = [value % len(widths) for value in op["inputs"]]
        if kind is Read and op["buffer"] not in held:
            op["buffer"] = next(reversed(held))
        if op["kind"] == "columns":
            wide = widths[op["inputs"][0]]
            op["first"] %= max(1, wide)
            op["last"] = min(max(op["last"], op["first"] + 1), wide)
        if op["kind"] == "pool":
            op["columns"] = widths[op["inputs"][0]]
        described.append((kind, tuple(op["inputs"]), op))
        try:
            widths = value_widths(first, described, held)
        except ArtifactError:
            # Anything reads one value of its own stage.
            op |= {"kind": "activate", "inputs": [0], "function": "elu", "parameter": 1.0}
            described[-1] = OPERATIONS["activate"], (0,), op
            widths = value_widths(first, described, held)
    return widths


def _give(layer: dict[str, Any], width: int) -> None:
    layer["in"] = width
    if layer["kind"] == "agnn":
        layer["out"], layer["bias"] = width, False


def _name_classes(root: dict[str, Any], width: int) -> None:
    root["classes"] = [f"class{k}" for k in range(min(width, 1000))]


def _operations(root: dict[str, Any], random: np.random.Generator) -> list[Any]:
    stages = root.get("stages")
    return one_of(random, stages)["operations"] if stages else []


def _random_operation(root: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    kind = one_of(random, list(OPERATIONS.values()))
    buffers = ["features", *root["skips"], *(input_buffer(la["name"]) for la in root["layers"])]
    made: dict[str, Any] = {"kind": kind.kind, "inputs": []}
    if kind is not Read:
        several = kind.kind in ("add", "maximum", "concatenate", "multiply")
        made["inputs"] = random.integers(0, 4, 2 if several else 1).tolist()
    for name in kind.settings:
        made[name] = _random_setting(name, buffers, random)
    return made


def _random_setting(name: str, buffers: list[str], random: np.random.Generator) -> Any:
    match name:
        case "buffer":
            return one_of(random, buffers)
        case "function":
            return str(one_of(random, list(Function)))
        case "added":
            return bool(random.random() < 0.5)
        case "pooling":
            return str(one_of(random, list(Pooling)))
        case "eps":
            return float(one_of(random, (1e-30, 1e-12, 1e-5, 1.0, 1e10, 3e38)))
        case "first" | "last" | "out" | "columns":
            return int(random.integers(0, 12))
        case _:
            return float(one_of(random, _NUMBERS))


def _insert(root: dict[str, Any], random: np.random.Generator) -> None:
    if "stages" in root:
        held = _operations(root, random)
        held.insert(int(random.integers(len(held) + 1)), _random_operation(root, random))


def _delete(root: dict[str, Any], random: np.random.Generator) -> None:
    held = _operations(root, random)
    if held:
        del held[int(random.integers(len(held)))]


def _swap(root: dict[str, Any], random: np.random.Generator) -> None:
    held, other = _operations(root, random), _operations(root, random)
    if held and other:
        a, b = int(random.integers(len(held))), int(random.integers(len(other)))
        held[a], other[b] = other[b], held[a]


def _redirect(root: dict[str, Any], random: np.random.Generator) -> None:
    held = _operations(root, random)
    if not held:
        return
    op = one_of(random, held)
    if op["inputs"] and random.random() < 0.7:
        op["inputs"][int(random.integers(len(op["inputs"])))] = int(random.integers(len(held) + 2))
    elif random.random() < 0.5:
        op["inputs"].append(int(random.integers(len(held) + 1)))
    else:
        del op["inputs"][:1]


def _setting(root: dict[str, Any], random: np.random.Generator) -> None:
    held = _operations(root, random)
    if held:
        op = one_of(random, held)
        for name in OPERATIONS[op["kind"]].settings:
            buffers = ["features", *root["skips"]]
            op[name] = _random_setting(name, buffers, random)


def _output(root: dict[str, Any], random: np.random.Generator) -> None:
    if not root.get("stages"):
        return
    stage = one_of(random, root["stages"])
    buffers = [None, "features", *root["skips"]]
    buffers += [input_buffer(layer["name"]) for layer in root["layers"]]
    match int(random.integers(5)):
        case 0:
            one_of(random, stage["outputs"])["value"] = int(random.integers(8))
        case 1:
            one_of(random, stage["outputs"])["buffer"] = one_of(random, buffers)
        case 2:
            value = int(random.integers(4))
            stage["outputs"].append({"value": value, "buffer": one_of(random, buffers)})
        case 3:  # A new skip connection, and an operation that reads it.
            bits, name = copied(root["features"]["bits"]), one_of(random, _SKIPS)
            root["skips"][name] = {"features": 1, "bits": bits}
            root["stages"][0]["outputs"].append({"value": 0, "buffer": name})
            read = {"kind": "read", "inputs": [], "buffer": name}
            root["stages"][-1]["operations"].insert(0, read)
        case 4:
            _copy_features(root, stage, input_buffer(one_of(random, root["layers"])["name"]))


def _copy_features(root: dict[str, Any], stage: dict[str, Any], buffer: str) -> None:
    """Let a stage write the node features where a layer reads, maybe one that ran before."""
    for other in root["stages"]:
        other["outputs"] = [o for o in other["outputs"] if o["buffer"] != buffer]
    stage["operations"].append({"kind": "read", "inputs": [], "buffer": "features"})
    stage["outputs"].append({"value": len(stage["operations"]), "buffer": buffer})


def _stages(root: dict[str, Any], random: np.random.Generator) -> None:
    if len(root.get("stages", ())) > 1:
        stages = root["stages"]
        a, b = (int(random.integers(len(stages))) for _ in range(2))
        field = one_of(random, ("layer", "operations", "outputs", None))
        if field is None:
            stages[a], stages[b] = stages[b], stages[a]
        else:
            stages[a][field], stages[b][field] = stages[b][field], stages[a][field]


def _bits(root: dict[str, Any], random: np.random.Generator) -> None:
    lists = [layer["bits"] for layer in root["layers"]] + [root["features"]]
    lists += list(root.get("skips", {}).values())
    held = one_of(random, lists)
    for key in ("embedding", "attention", "weight", "bits"):
        if isinstance(held.get(key), list):
            held[key][int(random.integers(len(held[key])))] = one_of(random, _BITS)
        elif key in held:
            held[key] = one_of(random, _BITS)


def _layer_kind(root: dict[str, Any], random: np.random.Generator) -> None:
    layer = one_of(random, root["layers"])
    layer["kind"] = one_of(random, _LAYERS)
    for key, value in _LAYER_SETTINGS.items():
        layer.setdefault(key, value)
    bits = copied(root["features"]["bits"])
    for key, value in {"embedding": bits, "attention": bits, "weight": 4}.items():
        layer["bits"].setdefault(key, copied(value))
    if layer["kind"] == "agnn":
        _give(layer, layer["in"])
    layer["edge_weights"] = "edge_weights" in root
    if layer["kind"] == "gat":
        layer["out"] *= layer["heads"]


def _layer_width(root: dict[str, Any], random: np.random.Generator) -> None:
    layer = one_of(random, root["layers"])
    layer["out"] = int(random.integers(1, 80)) * layer.get("heads", 1)


def _features(root: dict[str, Any], random: np.random.Generator) -> None:
    features, nodes = root["features"], root["graph"]["bucket_nodes"]
    match int(random.integers(4)):
        case 0:
            features["num_features"] = int(random.integers(1, 90))
        case 1:
            features["dense"] = not features["dense"]
        case 2:
            place = int(random.integers(len(nodes)))
            features["bucket_constant"][place] ^= True
        case 3:
            features["normalize_rows"] ^= True
    width = features["num_features"]
    held = zip(features["bucket_values"], nodes, strict=True)
    features["bucket_values"] = [
        n * width if features["dense"] else int(random.integers(0, min(values, n * width) + 1))
        for values, n in held
    ]
    if "stages" not in root:
        root["layers"][0]["in"] = width


def _graphs(root: dict[str, Any], random: np.random.Generator) -> None:
    root["graph"]["num_graphs"] = int(random.integers(0, 100))
