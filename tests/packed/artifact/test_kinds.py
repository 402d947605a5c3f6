"""What the header of an artifact says of a layer of each kind: the file format, word for word."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headers import as_program, header_of, with_edge_values, with_edges, written
from safetensors import safe_open

from sgq_auto.packed import ArtifactError, load
from sgq_auto.packed.artifact.header import describe, parse
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.packed.runtime.layers.layer_kinds import KINDS

# As version 0.1.0 writes them, keys in its order; GraphConv came later.
_ENTRIES = {
    "linear": '{"kind":"linear","name":"a","in":4,"out":4,"activation":"elu","bias":true,'
    '"bits":{"embedding":[3],"weight":2}}',
    "gcn": '{"kind":"gcn","name":"a","in":4,"out":4,"activation":"relu","bias":false,'
    '"bits":{"embedding":[3],"attention":[5],"weight":32}}',
    "gat": '{"kind":"gat","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"attention":[5],"weight":2},"heads":2,"concat":true,"slope":0.2}',
    "sage": '{"kind":"sage","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"weight":2},"aggregation":"mean","root_weight":true}',
    "gin": '{"kind":"gin","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"weight":2}}',
    "agnn": '{"kind":"agnn","name":"a","in":4,"out":4,"activation":"none","bias":false,'
    '"bits":{"embedding":[3],"attention":[5]},"beta":true}',
    "graph_conv": '{"kind":"graph_conv","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"weight":2},"aggregation":"sum"}',
    "gatv2": '{"kind":"gatv2","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"attention":[5],"weight":2},"heads":2,"concat":true,"slope":0.2,'
    '"share_weights":false,"made_bias":true,"root_weight":true,"self_loops":false}',
    "transformer": '{"kind":"transformer","name":"a","in":4,"out":4,"activation":"none",'
    '"bias":false,"bits":{"embedding":[3],"attention":[5],"weight":2},"heads":2,"concat":false,'
    '"made_bias":true,"root_weight":true,"gate":true}',
    "gathering": '{"kind":"gathering","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"weight":2},"reductions":["max","mean"],"root_weight":true,'
    '"project":true,"normalize":false}',
    "pna": '{"kind":"pna","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"weight":2},"channels":3,"reductions":["std","max"],'
    '"scalers":["identity","linear"]}',
    "gin_sum": '{"kind":"gin_sum","name":"a","in":4,"out":4,"activation":"none","bias":false,'
    '"bits":{"embedding":[3]}}',
    "gine_sum": '{"kind":"gine_sum","name":"a","in":4,"out":4,"activation":"none","bias":false,'
    '"bits":{"embedding":[3],"weight":2},"edge_matrix":true,"edge_bias":true,"edge_features":2}',
    "sgc": '{"kind":"sgc","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"attention":[5],"weight":2},"hops":3}',
    "appnp": '{"kind":"appnp","name":"a","in":4,"out":4,"activation":"none","bias":false,'
    '"bits":{"embedding":[3],"attention":[5]},"hops":3,"alpha":0.1}',
    "tag": '{"kind":"tag","name":"a","in":4,"out":4,"activation":"none","bias":true,'
    '"bits":{"embedding":[3],"attention":[5],"weight":2},"hops":2}',
    # Only a program can say what it reads besides its input.
    "gcn2": '{"kind":"gcn2","name":"a","in":4,"out":4,"bias":false,'
    '"bits":{"embedding":[3],"attention":[5],"weight":2},"alpha":0.1,"beta":0.5,'
    '"initial_weight":true,"normalize":true}',
}
_TENSORS = {
    "linear": {"bias", "scales", "weight"},
    "gcn": {"scales", "weight"},
    "gat": {"bias", "scales", "source_vectors", "target_vectors", "weight"},
    "sage": {"bias", "root_weight", "scales", "weight"},
    "gin": {"bias", "eps", "scales", "weight"},
    "agnn": {"beta", "scales"},
    "graph_conv": {"bias", "root_weight", "scales", "weight"},
    "gatv2": {"bias", "made_bias", "root_weight", "scales", "score_vectors", "weight"},
    "gathering": {
        "bias",
        "project_bias",
        "project_weight",
        "root_weight",
        "scales",
        "weight",
    },
    "gin_sum": {"eps", "scales"},
    "gine_sum": {"edge_bias", "edge_matrix", "eps", "scales"},
    "sgc": {"bias", "scales", "weight"},
    "appnp": {"scales"},
    "tag": {"bias", "scales", "weight", "weight0", "weight1"},
    "gcn2": {"initial_weight", "scales", "weight"},
    "pna": {
        "bias",
        "degree_averages",
        "own_weight",
        "post_weight",
        "scales",
        "target_bias",
        "target_weight",
        "weight",
    },
    "transformer": {"gate", "made_bias", "own_bias", "root_weight", "scales", "weight"},
}


def _first() -> dict[str, Any]:
    own = {"activation": "none", "bias": False, "bits": {"weight": 1}}
    return {"kind": "linear", "name": "first", "in": 2, "out": 4, **own}


def _root(kind: str, own: dict[str, Any] | None = None) -> dict[str, Any]:
    """The header of a model whose second layer is of a kind."""
    entry = json.loads(_ENTRIES[kind]) | (own or {})
    root = header_of(5, [_first(), entry])
    if "edge_features" in entry:
        with_edge_values(root, 2)
    return as_program(root) if KINDS[kind].further_inputs else root


def test_every_kind_is_here() -> None:
    assert _ENTRIES.keys() == KINDS.keys() == _TENSORS.keys()


@pytest.mark.parametrize("kind", _ENTRIES)
def test_an_entry_is_written_as_it_was_read(kind: str, tmp_path: Path) -> None:
    model = load(written(_root(kind), tmp_path / "model.safetensors"))
    assert type(model.layers[1]) is KINDS[kind]
    assert _ENTRIES[kind] in describe(model)


def test_what_earlier_versions_do_not_know_is_written_where_it_differs(tmp_path: Path) -> None:
    entry = json.loads(_ENTRIES["gat"]) | {"root_weight": True, "self_loops": False}
    root = header_of(5, [_first(), entry])
    model = load(written(root, tmp_path / "model.safetensors"))
    assert '"slope":0.2,"root_weight":true,"self_loops":false}' in describe(model)


@pytest.mark.parametrize("kind", ["gat", "gatv2", "transformer"])
def test_features_of_edges_are_written_where_there_are_some(kind: str, tmp_path: Path) -> None:
    own: dict[str, Any] = {"edge_features": 2}
    own |= {"self_loops": True, "loop_fill": 0.5} if kind == "gatv2" else {}
    model = load(written(_root(kind, own), tmp_path / "model.safetensors"))
    assert '"edge_features":2' in describe(model)
    assert ('"loop_fill":0.5' in describe(model)) == (kind == "gatv2")
    assert '"columns":2' in describe(model)
    again = load(written(json.loads(describe(model)), tmp_path / "again.safetensors"))
    assert again.footprint() == model.footprint()


@pytest.mark.parametrize(
    ("kind", "own", "said"),
    [
        ("gatv2", {"self_loops": None}, "self_loops"),
        ("gatv2", {"heads": 3}, "a: 4 features are no multiple of 3 heads"),
        ("gatv2", {"slope": "x"}, "slope"),
        ("gat", {"root_weight": 1}, "root_weight"),
        ("transformer", {"bias": True}, "a: a transformer layer has no bias of its output"),
        ("transformer", {"root_weight": False}, "a: a gate needs root_weight"),
        ("transformer", {"gate": 0}, "gate"),
        ("sage", {"normalize": 1}, "normalize"),
        ("sage", {"aggregation": "max"}, "aggregation"),
        ("gathering", {"reductions": []}, "a: reductions is []"),
        ("gathering", {"reductions": ["max", "max"]}, "a: reductions"),
        ("gathering", {"reductions": ["median"]}, "a: reductions"),
        ("gathering", {"reductions": [["max"]]}, "a: reductions"),
        ("gathering", {"project": None}, "project"),
        ("pna", {"bias": False}, "a: a PNA layer has a bias"),
        ("pna", {"channels": 0}, "channels"),
        ("pna", {"scalers": ["cubic"]}, "a: scalers is ['cubic']"),
        ("gin_sum", {"bias": True}, "a: a sum keeps its width and has no bias"),
        ("gine_sum", {"bias": True}, "a: a sum keeps its width and has no bias"),
        ("gine_sum", {"edge_matrix": False}, "a: edge_features does not fit the layer"),
        ("gine_sum", {"edge_features": 0}, "edge_features"),
        ("gine_sum", {"edge_features": 3}, "a: it reads 3 numbers of each edge, which has 2"),
        ("gat", {"edge_features": "x"}, "edge_features"),
        ("gat", {"edge_features": 2, "loop_fill": True}, "loop_fill is True; it must be a number"),
        ("gat", {"edge_features": 2, "loop_fill": None}, "loop_fill is None; it must be a number"),
        ("gat", {"loop_fill": 2}, "loop_fill is for self-loops that have features"),
        ("gatv2", {"edge_features": 2, "loop_fill": 2}, "loop_fill is for self-loops that have"),
        ("transformer", {"edge_features": 1}, "a: it reads 1 numbers of each edge, which has 2"),
        ("sgc", {"hops": 0}, "hops"),
        ("tag", {"hops": 257}, "hops is 257; it must be at most 256"),
        ("appnp", {"alpha": None}, "alpha"),
        ("appnp", {"bias": True}, "a: an APPNP layer keeps its width and has no bias"),
        ("gcn2", {"beta": "x"}, "beta"),
        ("gcn2", {"initial_weight": 1}, "initial_weight"),
        ("gcn2", {"normalize": None}, "normalize"),
        ("gcn2", {"bias": True}, "a: a GCN2 layer keeps its width and has no bias"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(
    kind: str, own: dict[str, Any], said: str
) -> None:
    root = _root(kind, own)
    with pytest.raises(ArtifactError) as caught:
        parse(json.dumps(root))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("further", "said"),
    [
        (None, "a reads 1 embeddings besides its input; further: 0"),
        (["a.input", "a.input"], "a reads 1 embeddings besides its input; further: 2"),
        (["last.input"], "a reads 'last.input', which is not held then"),
        (["features"], "a reads 'features', which is not held then or not as wide as its input"),
        ([3], "further names a buffer that is no text"),
        ("a.input", "further"),
    ],
)
def test_what_a_layer_reads_besides_must_be_held(further: Any, said: str) -> None:
    last = {"kind": "linear", "name": "last", "in": 4, "out": 4, "bias": False}
    last |= {"bits": {"embedding": [3], "weight": 2}}
    root = as_program(header_of(5, [_first(), json.loads(_ENTRIES["gcn2"]), last]))
    parse(json.dumps(root))
    del root["stages"][1]["further"]
    root["stages"][1] |= {} if further is None else {"further": further}
    with pytest.raises(ArtifactError) as caught:
        parse(json.dumps(root))
    assert said in str(caught.value)


def test_a_layer_of_one_input_reads_no_other() -> None:
    root = as_program(header_of(5, [_first(), json.loads(_ENTRIES["gcn"])]))
    root["stages"][1]["further"] = ["a.input"]
    with pytest.raises(ArtifactError, match="a reads 0 embeddings besides its input; further: 1"):
        parse(json.dumps(root))


def test_a_chain_cannot_have_a_layer_that_reads_two() -> None:
    root = header_of(5, [_first(), json.loads(_ENTRIES["gcn2"]) | {"activation": "none"}])
    with pytest.raises(ArtifactError, match="a reads 1 embeddings besides its input"):
        parse(json.dumps(root))


def test_what_reductions_are_divided_by_is_above_0(tmp_path: Path) -> None:
    root = header_of(5, [_first(), json.loads(_ENTRIES["pna"])])
    averages = {"a.degree_averages": np.array([0.5, 0.0], dtype=np.float32)}
    path = written(root, tmp_path / "model.safetensors", averages)
    with pytest.raises(ArtifactError, match=r"a: degree_averages must be above 0"):
        load(path)


# What a file may say instead of what it should.
_ODD: list[Any] = [None, True, False, 0, 1, 2, 3, -1, 2**31, 0.5, "", "mean", [], ["sum"], {}]


@pytest.mark.parametrize("kind", _ENTRIES)
def test_an_odd_entry_is_refused_or_predicts_alike_everywhere(kind: str, tmp_path: Path) -> None:
    entry, path = json.loads(_ENTRIES[kind]), tmp_path / "odd.safetensors"
    pattern = np.random.default_rng(0).random((5, 5)) < 0.4
    np.fill_diagonal(pattern, False)
    root = header_of(5, [_first(), entry])
    edges = with_edges(root, pattern)
    if "edge_features" in entry:
        with_edge_values(root, 2)
    for key, value in itertools.product(entry.keys() - {"kind", "name"}, _ODD):
        root["layers"][1] = entry | {key: value}
        classes = value if key == "out" and type(value) is int and 0 < value < 9 else entry["out"]
        root["classes"] = [f"c{k}" for k in range(classes)]
        if not _is_refused(root):
            compiled = replace(load(written(root, path, edges)), engine=CompiledEngine())
            expected = replace(compiled, engine=NumpyEngine()).predict()
            np.testing.assert_allclose(compiled.predict(), expected, atol=1e-4, err_msg=key)


def _is_refused(root: dict[str, Any]) -> bool:
    try:
        parse(json.dumps(root))
    except ArtifactError as error:
        return "\n" not in str(error)
    return False


@pytest.mark.parametrize("kind", _ENTRIES)
def test_a_kind_has_its_tensors(kind: str, tmp_path: Path) -> None:
    path = written(_root(kind), tmp_path / "model.safetensors")
    with safe_open(path, framework="np") as file:
        held = {name.removeprefix("a.") for name in file.keys() if name.startswith("a.")}  # noqa: SIM118
    assert held == _TENSORS[kind]
