"""How a model's forward pass takes a graph: decided by its arguments without a default."""

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from inspect import Parameter
from typing import Any, NoReturn

from torch import Tensor, nn
from torch_geometric.data import Data

from sgq_auto.errors import InputError


class Role(Enum):
    """What an argument of a forward pass is given."""

    FEATURES = auto()
    EDGES = auto()
    DATA = auto()
    # Weights of edges [E], or the user's edge features, which may be the same as a column; None
    # where edges have none.
    WEIGHTS = auto()
    EDGE_FEATURES = auto()
    # Which graph each node belongs to, and how many there are; None where nodes are predicted.
    BATCH = auto()
    NUM_GRAPHS = auto()


# How people call these arguments, in lower case. The first pattern that fits a name decides.
_NAMES = (
    (Role.WEIGHTS, r"edge_?weights?|weights?"),
    (Role.EDGE_FEATURES, r"edge_?(attrs?|feats?|features?)"),
    (Role.EDGES, r"edge_?ind\w*|edge_?idx|edge_?list|edges?|ei?|adj\w*|a"),
    (Role.FEATURES, r"[xhz](_\w+|\d*)|(\w+_)?(feat|feature)s?\d*|inputs?|in_feats?"),
    (Role.DATA, r"(\w+_)?(data|graphs?|batch)(_\w+|\d*)|g"),
)
_BATCH = r"(\w+_)?batch(_?(ind\w*|idx|ids?|vec\w*))?|graph_(ids?|idx|ind\w*|of_nodes?)"
_NUM_GRAPHS = r"batch_size|(num|n)_graphs"
_DATA_TYPE = re.compile(r"\b(Data|Batch|BaseData)\b")
_EDGES_TYPE = re.compile(r"\b(Adj|SparseTensor|EdgeIndex)\b")
# Attributes that a graph has and a tensor has not.
_OF_DATA = {"x", "edge_index", "adj_t", "edge_attr", "edge_weight", "num_nodes", "batch"}
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_OF_EDGES = (Role.WEIGHTS, Role.EDGE_FEATURES)
_CONVENTIONS = "a forward pass takes (x, edge_index), x alone, or one data that has both"


class GraphData(Data):  # type: ignore[misc]
    """The graph as one object: ``x``, ``edge_index``, and weights of edges where there are some.

    For a model that predicts graphs, ``batch`` is there too. Whatever else a ``Data`` has is None.
    """

    @property
    def adj_t(self) -> Tensor | None:
        """The same edges, for models written for ``T.ToSparseTensor``."""
        edges: Tensor | None = self.edge_index
        return edges


@dataclass(frozen=True)
class Signature:
    """What the arguments of a forward pass are given.

    Attributes:
        positional: Of the arguments that come by position.
        keywords: Of those that come by name.
        optional: Arguments with the default None that take the weights of a weighted graph, and
            the batch where a model predicts graphs.
    """

    positional: tuple[Role, ...] = ()
    keywords: Mapping[str, Role] = field(default_factory=dict)
    optional: Mapping[str, Role] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module) -> "Signature":
        """Decide by the arguments of ``model.forward`` that have no default.

        What an argument is follows from how the forward pass uses it (``data.x``), its type, or its
        name; arguments that tell nothing are, in this order, the features and the edges. Edges are
        passed to an argument with a default too (``edge_index=None``), and so are the weights of a
        weighted graph (``edge_weight=None``) and the batch for a model that predicts graphs
        (``batch=None``); other arguments with a default keep it.

        Raises:
            InputError: If an argument without a default is none of these.
        """
        try:
            parameters = list(inspect.signature(model.forward).parameters.values())
        except ValueError:  # Of a model that was compiled.
            return cls((Role.FEATURES, Role.EDGES))
        roles = _roles(model, parameters)
        return replace(cls._passing(roles, parameters), optional=_optional(roles, parameters))

    @classmethod
    def _passing(cls, roles: Mapping[str, Role], parameters: Sequence[Parameter]) -> "Signature":
        """By position as far as no argument before keeps its default, by name after that."""
        positional: list[Role] = []
        keywords: dict[str, Role] = {}
        kinds = {parameter.kind for parameter in parameters}
        for parameter in parameters:
            role = roles.get(parameter.name)
            if role is None:
                continue
            if parameter.kind in _POSITIONAL and parameter is parameters[len(positional)]:
                positional.append(role)
            else:
                keywords[parameter.name] = role
        missing = _missing(roles)
        if Parameter.VAR_POSITIONAL in kinds and not keywords:
            positional += missing
        elif Parameter.VAR_KEYWORD in kinds and not roles:
            keywords = {"x": Role.FEATURES, "edge_index": Role.EDGES}
        return cls(tuple(positional), keywords)

    def arguments(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_weight: Tensor | None = None,
        edge_attr: Tensor | None = None,
        batch: Tensor | None = None,
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the forward pass is called with: arguments by position, and by name.

        Args:
            x: Features ``[N, F]``.
            edge_index: Edges ``[2, E]``.
            edge_weight: Weights ``[E]``; ``None`` where edges have none.
            edge_attr: The same weights in the form of the user's edge features; or several features
                an edge, ``[E, columns]``, which are no weights.
            batch: The graph of each node ``[N]``; ``None`` where nodes are predicted.
        """
        roles = [*self.positional, *self.keywords.values()]
        values: dict[Role, Any] = {Role.FEATURES: x, Role.EDGES: edge_index, Role.BATCH: batch}
        if Role.NUM_GRAPHS in roles:
            values[Role.NUM_GRAPHS] = None if batch is None else int(batch.max()) + 1
        values |= {Role.WEIGHTS: edge_weight, Role.EDGE_FEATURES: edge_attr}
        if edge_weight is not None and Role.WEIGHTS in (*roles, *self.optional.values()):
            values[Role.EDGE_FEATURES] = None  # One number an edge is passed once.
        if Role.DATA in roles:
            given = {"edge_weight": edge_weight, "edge_attr": edge_attr, "batch": batch}
            held = {name: value for name, value in given.items() if value is not None}
            values[Role.DATA] = GraphData(x=x, edge_index=edge_index, **held)
        optional = {name: role for name, role in self.optional.items() if values[role] is not None}
        by_name = {name: values[role] for name, role in {**self.keywords, **optional}.items()}
        return tuple(values[role] for role in self.positional), by_name


def _roles(model: nn.Module, parameters: Sequence[Parameter]) -> dict[str, Role]:
    """The arguments that are passed, and what they are given."""
    named = [p for p in parameters if p.kind not in _VARIADIC]
    used = _read_as_data(model, {p.name for p in named})
    known = {p.name: Role.DATA if p.name in used else _role(p) for p in named}
    needed = [p for p in named if p.default is Parameter.empty]
    if len(needed) > 1:
        known |= {p.name: _beside_others(p, known) for p in needed if p.name not in used}
    roles = {p.name: role for p in needed if (role := known[p.name]) is not None}
    for parameter in needed:
        if parameter.name not in roles:
            missing = _missing(roles) or _refuse(model, parameter.name)
            roles[parameter.name] = missing[0]
    _refuse_repeated(model, roles)
    for parameter in (p for p in named if p.default is None):
        role = known[parameter.name]
        if role in (_missing(roles) if roles else (Role.DATA, Role.FEATURES, Role.EDGES)):
            roles.setdefault(parameter.name, role)  # type: ignore[arg-type]
    if not roles and len(named) == len(parameters):
        return dict(zip((p.name for p in named), (Role.FEATURES, Role.EDGES), strict=False))
    return roles


def _optional(roles: Mapping[str, Role], parameters: Sequence[Parameter]) -> dict[str, Role]:
    """The arguments with the default None that take weights, and a batch."""
    free = [p for p in parameters if p.default is None and p.name not in roles]
    free = [p for p in free if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
    found = _optional_weights(roles, free)
    if not {Role.BATCH, Role.DATA}.intersection(roles.values()):
        found |= {p.name: Role.BATCH for p in [p for p in free if _is_batch(p)][:1]}
    return found


def _optional_weights(roles: Mapping[str, Role], free: Sequence[Parameter]) -> dict[str, Role]:
    """The free arguments that take weights, and features: the first of each.

    None where another one takes them already, or the model takes no edges.
    """
    given = roles.values()
    if Role.EDGES not in given or any(role in _OF_EDGES for role in given):
        return {}
    found = {p.name: role for p in free if (role := _role(p)) in _OF_EDGES and role is not None}
    firsts = {role: name for name, role in reversed(found.items())}
    return {firsts[wanted]: wanted for wanted in _OF_EDGES if wanted in firsts}


def _missing(roles: Mapping[str, Role]) -> list[Role]:
    """What of the graph is not passed yet."""
    if Role.DATA in roles.values():
        return []
    return [role for role in (Role.FEATURES, Role.EDGES) if role not in roles.values()]


def _refuse(model: nn.Module, name: str) -> NoReturn:
    raise InputError(
        f"{type(model).__name__}: its forward pass needs {name!r}, which nothing here gives; "
        f"{_CONVENTIONS}: give {name!r} a default"
    )


def _refuse_repeated(model: nn.Module, roles: Mapping[str, Role]) -> None:
    seen: set[Role] = set()
    for name, role in roles.items():
        if role in seen and role not in _OF_EDGES:
            _refuse(model, name)
        seen.add(role)


def _role(parameter: Parameter) -> Role | None:
    """What an argument is by its type, or by its name; ``None`` where they do not tell."""
    untyped = parameter.annotation is Parameter.empty
    kind = "" if untyped else str(parameter.annotation)
    may_be_tensor = untyped or "Tensor" in kind
    if _DATA_TYPE.search(kind) and not may_be_tensor:
        return Role.DATA
    name = parameter.name.lower().strip("_")
    role = next((role for role, names in _NAMES if re.fullmatch(names, name)), None)
    if role is Role.DATA and not untyped and may_be_tensor:
        role = None
    return Role.EDGES if role is None and _EDGES_TYPE.search(kind) else role


def _beside_others(parameter: Parameter, known: Mapping[str, Role | None]) -> Role | None:
    """What an argument is that the forward pass needs beside others.

    A batch says which graph a node belongs to; a graph beside the features is its edges.
    """
    role = known[parameter.name]
    if _is_batch(parameter):
        return Role.BATCH
    if re.fullmatch(_NUM_GRAPHS, parameter.name.lower()):
        return Role.NUM_GRAPHS
    is_data = role is not Role.DATA or _DATA_TYPE.search(str(parameter.annotation))
    return role if is_data else None


def _is_batch(parameter: Parameter) -> bool:
    """Whether an argument beside others is a batch, and not several graphs as one object."""
    if _DATA_TYPE.search(str(parameter.annotation)):
        return False
    return re.fullmatch(_BATCH, parameter.name.lower().strip("_")) is not None


def _read_as_data(model: nn.Module, names: set[str]) -> set[str]:
    """Arguments that the forward pass reads as a graph: ``data.x`` or ``data["x"]``."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(model.forward))))
    except (OSError, TypeError, SyntaxError):
        return set()
    reads = {
        (node.value.id, node.attr if isinstance(node, ast.Attribute) else _text(node.slice))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name)
    }
    return {name for name, attribute in reads if name in names and attribute in _OF_DATA}


def _text(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None
