"""How forward passes take a graph: their arguments as people call and use them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.data import Data
from torch_geometric.typing import Adj

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.quantize import prepare
from sgq_auto.quantize.forward.forward_signature import Role, Signature
from sgq_auto.training import predict

_X, _E, _D, _NONE = Role.FEATURES, Role.EDGES, Role.DATA, Role.BATCH
_BOTH = (_X, _E)


def _logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return called


class _Forwards:
    """Forward passes; each name says what is odd about one."""

    def usual(self, x: Tensor, edge_index: Tensor) -> None: ...
    def weighted(self, x: Any, edge_index: Any, edge_weight: Any = None) -> None: ...
    def needs_weights(self, x: Any, edge_index: Any, edge_weight: Any, batch: Any) -> None: ...
    def of_graphs(self, x: Any, edge_index: Any, batch: Any, batch_size: Any) -> None: ...
    def of_typed_graphs(self, x: Tensor, edge_index: Tensor, batch_index: Tensor) -> None: ...
    def of_graph_ids(self, h: Any, adj: Any, *, graph_ids: Any, num_graphs: int) -> None: ...
    def adjacency(self, x: Any, adj: Any) -> None: ...
    def letters(self, h: Any, A: Any) -> None: ...  # noqa: N803
    def nameless(self, u: Any, v: Any) -> None: ...
    def edges_first(self, adj_t: Any, features: Any) -> None: ...
    def graph_first(self, g: Any, h: Any) -> None: ...
    def typed_edges(self, one: Tensor, two: Adj) -> None: ...
    def edges_by_default(self, x: Any, edge_index: Any = None) -> None: ...
    def edges_late(self, x: Any, batch: Any = None, edge_index: Any = None) -> None: ...
    def all_by_default(self, x: Any = None, edge_index: Any = None, p: float = 0.5) -> None: ...
    def number_by_default(self, x: Any, a: float = 0.5) -> None: ...
    def features_alone(self, x: Any, return_embeds: bool = False) -> None: ...
    def edges_alone(self, edge_index: Any) -> None: ...
    def of_sequential(self, input: Any) -> None: ...
    def data(self, data: Any) -> None: ...
    def data_and_flag(self, data: Any, return_embeds: bool = False) -> None: ...
    def batched(self, batched_data: Any, perturb: Any = None) -> None: ...
    def data_by_default(self, data: Any = None) -> None: ...
    def typed(self, inp: Data, k: int = 1) -> None: ...
    def typed_by_name(self, inp: "Data") -> None: ...
    def data_is_a_tensor(self, data: Tensor) -> None: ...
    def g(self, g: Any, **options: Any) -> None: ...
    def by_keyword(self, *, x: Any, edge_index: Any, deep: bool = True) -> None: ...
    def data_by_keyword(self, *, graph: Any) -> None: ...
    def anything(self, *args: Any) -> None: ...
    def anything_after_x(self, x: Any, *args: Any, **kwargs: Any) -> None: ...
    def names_only(self, **kwargs: Any) -> None: ...

    def used(self, inputs: Any, last: bool = False) -> Any:
        return inputs.x, inputs.edge_index, last

    def used_as_a_mapping(self, inp: Any) -> Any:
        return inp["x"]

    def graph_beside_features(self, x: Any, graph: Any) -> Any:
        return x, graph.edge_index

    @_logged
    def decorated(self, sample: Any) -> Any:
        return sample.x


_EXPECTED: dict[str, tuple[tuple[Role, ...], dict[str, Role]]] = {
    "usual": (_BOTH, {}),
    "weighted": (_BOTH, {}),
    "needs_weights": ((_X, _E, Role.WEIGHTS, _NONE), {}),
    "of_graphs": ((_X, _E, _NONE, Role.NUM_GRAPHS), {}),
    "of_typed_graphs": ((_X, _E, _NONE), {}),
    "of_graph_ids": (_BOTH, {"graph_ids": _NONE, "num_graphs": Role.NUM_GRAPHS}),
    "adjacency": (_BOTH, {}),
    "letters": (_BOTH, {}),
    "nameless": (_BOTH, {}),
    "edges_first": ((_E, _X), {}),
    "graph_first": ((_E, _X), {}),
    "typed_edges": (_BOTH, {}),
    "edges_by_default": (_BOTH, {}),
    "edges_late": ((_X,), {"edge_index": _E}),
    "all_by_default": (_BOTH, {}),
    "number_by_default": ((_X,), {}),
    "features_alone": ((_X,), {}),
    "edges_alone": ((_E,), {}),
    "of_sequential": ((_X,), {}),
    "data": ((_D,), {}),
    "data_and_flag": ((_D,), {}),
    "batched": ((_D,), {}),
    "data_by_default": ((_D,), {}),
    "typed": ((_D,), {}),
    "typed_by_name": ((_D,), {}),
    "data_is_a_tensor": ((_X,), {}),
    "g": ((_D,), {}),
    "by_keyword": ((), {"x": _X, "edge_index": _E}),
    "data_by_keyword": ((), {"graph": _D}),
    "anything": (_BOTH, {}),
    "anything_after_x": (_BOTH, {}),
    "names_only": ((), {"x": _X, "edge_index": _E}),
    "used": ((_D,), {}),
    "used_as_a_mapping": ((_D,), {}),
    "graph_beside_features": ((_X, _D), {}),
    "decorated": ((_D,), {}),
}


def _model(forward: Callable[..., Any]) -> nn.Module:
    return type("Net", (nn.Module,), {"forward": forward})()


@pytest.mark.parametrize("name", _EXPECTED)
def test_arguments_are_what_their_names_types_and_uses_say(name: str) -> None:
    signature = Signature.of(_model(getattr(_Forwards, name)))
    assert (signature.positional, dict(signature.keywords)) == _EXPECTED[name]


def test_a_batch_is_given_to_one_argument_for_graphs_alone() -> None:
    def optional(self: Any, x: Any, edge_index: Any, batch: Tensor | None = None) -> None: ...

    x, edges, batch = torch.ones(3, 2), torch.zeros(2, 0, dtype=torch.long), torch.tensor([0, 1, 1])
    by_default, needed = (Signature.of(_model(f)) for f in (optional, _Forwards.of_graphs))
    assert by_default.arguments(x, edges)[1] == {}
    assert by_default.arguments(x, edges, batch=batch)[1] == {"batch": batch}
    assert needed.arguments(x, edges)[0][2:] == (None, None)
    assert needed.arguments(x, edges, batch=batch)[0][2:] == (batch, 2)
    (data,), _ = Signature.of(_model(_Forwards.data)).arguments(x, edges, batch=batch)
    assert data.batch is batch


def test_what_nothing_gives_is_refused_by_name() -> None:
    def third(self: Any, x: Any, edge_index: Any, depth: Any) -> None: ...
    def twice(self: Any, x: Any, edge_index: Any, adj: Any) -> None: ...

    for forward, name in ((third, "depth"), (twice, "adj")):
        with pytest.raises(InputError, match=rf"needs '{name}', which nothing here gives") as said:
            Signature.of(_model(forward))
        assert "\n" not in str(said.value)


def test_models_of_pyg_get_features_or_features_and_edges() -> None:
    assert Signature.of(pyg.MLP([4, 2])).positional == (_X,)
    assert Signature.of(pyg.GCN(4, 4, 2, 2)).positional == _BOTH
    assert Signature.of(nn.Sequential(nn.Linear(4, 2))).positional == (_X,)
    edges_first = pyg.Sequential("e, x", [(pyg.GCNConv(4, 2), "x, e -> x")])
    assert Signature.of(edges_first).positional == (_E, _X)


class _ReadsData(nn.Module):
    """Reads what a graph has, and what it might have."""

    def __init__(self, edges: str = "edge_index") -> None:
        super().__init__()
        self.conv1, self.conv2 = pyg.GCNConv(80, 5), pyg.GCNConv(5, 4)
        self.edges = edges

    def forward(self, batched_data: Any, deep: bool = True) -> Tensor:
        data, edges = batched_data, getattr(batched_data, self.edges)
        assert data.edge_attr is None
        assert data.edge_weight is None
        assert data.batch is None
        assert data.y is None
        assert data.num_nodes == data.x.size(0) == 300
        assert data.num_features == data.num_node_features == 80
        assert data.num_edges == data.edge_index.size(1)
        x = self.conv1(data.x.float(), edges, data.edge_weight).relu()
        out: Tensor = self.conv2(x, edges) if deep else x
        return out


class _Twin(_ReadsData):
    def forward(self, x: Any, edge_index: Any) -> Tensor:  # type: ignore[override]
        out: Tensor = self.conv2(self.conv1(x, edge_index).relu(), edge_index)
        return out


@pytest.mark.parametrize("edges", ["edge_index", "adj_t"])
def test_a_model_of_data_computes_what_one_of_x_and_edges_does(
    edges: str, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    model, twin = _ReadsData(edges), _Twin()
    twin.load_state_dict(model.state_dict())
    expected = predict(prepare(twin, graph), graph)
    torch.testing.assert_close(predict(prepare(model, graph), graph), expected)


class _ByKeyword(_Twin):
    def forward(self, *, features: Any, adj: Any, scale: float = 1.0) -> Tensor:  # type: ignore[override]
        return super().forward(features, adj) * scale


def test_a_model_of_keywords_is_prepared(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model, twin = _ByKeyword(), _Twin()
    twin.load_state_dict(model.state_dict())
    expected = predict(prepare(twin, graph), graph)
    assert torch.equal(predict(prepare(model, graph), graph), expected)
