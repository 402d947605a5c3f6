"""What predicting takes beside the bytes that are said: a few MiB a thread, whatever the widths."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headers import as_program, header_of, peak_of, with_edge_values, with_edges, written

from sgq_auto.packed import PackedModel, load
from sgq_auto.packed.backends import Engine, NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.packed.runtime.layers.layer_kinds import KINDS

_ENGINES: list[Engine] = [NumpyEngine(), CompiledEngine()]
_SCRATCH = 6 << 20


def _layer(kind: str, width: int, out: int, **own: Any) -> dict[str, Any]:
    sizes = {"kind": kind, "name": "a", "in": width, "out": out, "bias": False}
    bits = {"weight": 1, "embedding": [1], "attention": [2]}
    return sizes | {"activation": "elu", "bits": bits, "slope": 0.2} | own


_COMPLETE = ~np.eye(64, dtype=bool)
_CASES = {
    "many heads": (_COMPLETE, _layer("gat", 1, 1, heads=800, concat=False)),
    "many heads, concatenated": (_COMPLETE, _layer("gat", 1, 900, heads=900, concat=True)),
    "many heads of the second version": (
        _COMPLETE,
        _layer(
            "gatv2",
            1,
            1,
            heads=800,
            concat=False,
            share_weights=False,
            made_bias=True,
            root_weight=True,
            self_loops=True,
        ),
    ),
    "a wide transformer": (
        _COMPLETE,
        _layer(
            "transformer",
            1,
            3_000,
            heads=3,
            concat=True,
            made_bias=True,
            root_weight=True,
            gate=True,
        ),
    ),
    "a wide row that is gathered": (
        _COMPLETE,
        _layer(
            "gathering",
            9_000,
            20,
            reductions=["max", "std"],
            root_weight=True,
            project=False,
            normalize=True,
        ),
    ),
    "many scaled reductions": (
        _COMPLETE,
        _layer(
            "pna",
            40,
            20,
            bias=True,
            channels=3_000,
            reductions=["max", "std", "mean"],
            scalers=["identity", "linear"],
        ),
    ),
    "a wide sum": (_COMPLETE, _layer("gin_sum", 9_000, 9_000)),
    "hops of many channels": (_COMPLETE, _layer("sgc", 1, 9_000, hops=3)),
    "hops of many weights": (_COMPLETE, _layer("tag", 9_000, 20, hops=3)),
    "many channels": (_COMPLETE, _layer("gcn", 1, 9_000)),
    "a wide input": (_COMPLETE, _layer("gin", 9_000, 3)),
    "two wide weights": (
        _COMPLETE,
        _layer("sage", 9_000, 20, aggregation="mean", root_weight=True),
    ),
    "a large weight": (_COMPLETE, _layer("linear", 1_000, 1_000)),
}


_OF_EDGES = {
    "many features of edges": (
        _COMPLETE,
        _layer("gat", 1, 6, heads=2, concat=True, edge_features=400),
    ),
    "many heads of edges": (
        _COMPLETE,
        _layer(
            "gatv2",
            1,
            1,
            heads=600,
            concat=False,
            share_weights=False,
            made_bias=True,
            root_weight=True,
            self_loops=True,
            edge_features=20,
        ),
    ),
    "a wide transformer of edges": (
        _COMPLETE,
        _layer(
            "transformer",
            1,
            900,
            heads=3,
            concat=True,
            made_bias=True,
            root_weight=True,
            gate=True,
            edge_features=300,
        ),
    ),
    "wide messages": (
        _COMPLETE,
        _layer("gine_sum", 6_000, 6_000, edge_matrix=True, edge_bias=True, edge_features=20),
    ),
}


_BEHIND = {
    "a wide start": (_COMPLETE, _layer("appnp", 9_000, 9_000, hops=3, alpha=0.1)),
    "two wide inputs": (
        _COMPLETE,
        _layer("gcn2", 1_000, 1_000, alpha=0.1, beta=0.5, initial_weight=True, normalize=True),
    ),
}


def _model(layer: dict[str, Any], pattern: np.ndarray, folder: Path) -> PackedModel:
    """A layer, behind a linear one where it cannot read the node features."""
    layers = [layer]
    if KINDS[layer["kind"]].feature_fault:
        layers = [_layer("linear", 1, layer["in"], name="first"), layer]
    root = header_of(pattern.shape[0], layers)
    edges = with_edges(root, pattern)
    if "edge_features" in layer:
        with_edge_values(root, layer["edge_features"])
    root = as_program(root) if KINDS[layer["kind"]].further_inputs else root
    return load(written(root, folder / "wide.safetensors", edges))


@pytest.mark.sampled
@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("case", _CASES | _OF_EDGES | _BEHIND)
def test_scratch_is_bounded(case: str, engine: Engine, tmp_path: Path) -> None:
    pattern, layer = (_CASES | _OF_EDGES | _BEHIND)[case]
    model = replace(_model(layer, pattern, tmp_path), engine=engine)
    held = model.footprint().resident_bytes + 4 * model.num_nodes * len(model.classes)
    # Once before, for what is made once.
    expected = model.predict([0])
    assert peak_of(model.predict) < held + _SCRATCH
    np.testing.assert_allclose(model.predict()[:1], expected, atol=1e-4)


@pytest.mark.slow
def test_parts_of_blocks_give_what_whole_ones_give(tmp_path: Path, monkeypatch: Any) -> None:
    """The kinds of the cases above, in the smallest parts: the same logits."""
    pattern = _COMPLETE[:18, :18]
    for case, (_, layer) in (_CASES | _OF_EDGES | _BEHIND).items():
        small = layer | {"out": layer["out"] % 97 + 3, "in": layer["in"] % 89 + 1}
        if "heads" in small:
            small |= {"heads": 3, "out": 6}
        if layer["in"] == layer["out"] and layer["kind"] != "linear":
            small |= {"out": small["in"]}
        model = _model(small, pattern, tmp_path)
        for engine in _ENGINES:
            whole = replace(model, engine=engine).predict()
            for name in ("workspace._CHUNK_SUMS", "workspace._CHUNK_VALUES"):
                monkeypatch.setattr(f"sgq_auto.packed.runtime.{name}", 10)
            monkeypatch.setattr("sgq_auto.packed.runtime.weight_products._UNPACKED_VALUES", 10)
            parts = replace(model, engine=engine).predict(threads=2)
            monkeypatch.undo()
            np.testing.assert_allclose(parts, whole, atol=1e-5, err_msg=case)
