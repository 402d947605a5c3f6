"""What predicting takes beside the bytes that are said: a few MiB a thread, whatever the widths."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headers import header_of, peak_of, with_edges, written

from sgq_auto.packed import load
from sgq_auto.packed.backends import Engine, NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine

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
    "many channels": (_COMPLETE, _layer("gcn", 1, 9_000)),
    "a wide input": (_COMPLETE, _layer("gin", 9_000, 3)),
    "two wide weights": (
        _COMPLETE,
        _layer("sage", 9_000, 20, aggregation="mean", root_weight=True),
    ),
    "a large weight": (_COMPLETE, _layer("linear", 1_000, 1_000)),
}


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("case", _CASES)
def test_scratch_is_bounded(case: str, engine: Engine, tmp_path: Path) -> None:
    pattern, layer = _CASES[case]
    root = header_of(pattern.shape[0], [layer])
    edges = with_edges(root, pattern)
    model = replace(load(written(root, tmp_path / "wide.safetensors", edges)), engine=engine)
    held = model.footprint().resident_bytes + 4 * model.num_nodes * len(model.classes)
    # Once before, for what is made once.
    expected = model.predict([0])
    assert peak_of(model.predict) < held + _SCRATCH
    np.testing.assert_allclose(model.predict()[:1], expected, atol=1e-4)


def test_parts_of_blocks_give_what_whole_ones_give(tmp_path: Path, monkeypatch: Any) -> None:
    """The kinds of the cases above, in the smallest parts: the same logits."""
    pattern = _COMPLETE[:18, :18]
    for case, (_, layer) in _CASES.items():
        small = layer | {"out": layer["out"] % 97 + 3, "in": layer["in"] % 89 + 1}
        if "heads" in small:
            small |= {"heads": 3, "out": 6}
        if small["kind"] == "gin_sum":
            small |= {"out": small["in"]}
        root = header_of(pattern.shape[0], [small])
        edges = with_edges(root, pattern)
        model = load(written(root, tmp_path / "small.safetensors", edges))
        for engine in _ENGINES:
            whole = replace(model, engine=engine).predict()
            for name in ("workspace._CHUNK_SUMS", "workspace._CHUNK_VALUES"):
                monkeypatch.setattr(f"sgq_auto.packed.runtime.{name}", 10)
            monkeypatch.setattr("sgq_auto.packed.runtime.products._UNPACKED_VALUES", 10)
            parts = replace(model, engine=engine).predict(threads=2)
            monkeypatch.undo()
            np.testing.assert_allclose(parts, whole, atol=1e-5, err_msg=case)
