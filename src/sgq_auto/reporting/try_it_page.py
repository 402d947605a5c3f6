"""A page that predicts: a packed model as WebAssembly, in one file that loads nothing."""

import base64
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed import PackedModel
from sgq_auto.packed.device.webassembly import webassembly
from sgq_auto.reporting.pages import render
from sgq_auto.task import Task

_ASKED = {
    "graph": "your graph: features x of each node, and edge_index, two lists like those of PyG",
    "features": "features x of each node, in the order of the nodes",
}


@dataclass(frozen=True)
class TryItPage:
    """What the page of a model shows.

    Attributes:
        title: What the model is.
        description: What it predicts, in a sentence.
        module: It, as WebAssembly.
        given: What a visitor gives: ``nodes`` (which), ``graph``, ``features``, or ``nothing``.
        num_nodes: Nodes of its graph, or of the largest one that it was made for.
        num_edges: The same of edges, where graphs are given.
        num_features: Features of a node.
        outputs: Names of the outputs.
        kind: ``classes``, ``labels`` or ``numbers``.
        unit: What a row of the answers is: ``node`` or ``graph``.
    """

    title: str
    description: str
    module: bytes
    given: str
    num_nodes: int
    num_edges: int
    num_features: int
    outputs: tuple[str, ...]
    kind: str
    unit: str

    @classmethod
    def of(cls, model: PackedModel) -> "TryItPage":
        """The page of a packed model.

        Raises:
            InputError: If the model cannot be written in C, or there is no compiler.
        """
        given = "nothing" if model.program.predicts_graphs else "nodes"
        if not model.holds_features:
            given = "features" if model.holds_graph else "graph"
        labels = "labels" if model.task is Task.NODE_MULTILABEL else "classes"
        kind = "numbers" if model.task.is_regression else labels
        spec = model.graph.spec
        return cls(
            title=str(model.source.get("study") or "A packed model"),
            description=_description(model, kind),
            module=webassembly(model),
            given=given,
            num_nodes=spec.num_nodes,
            num_edges=spec.num_edges,
            num_features=model.features.spec.num_features,
            outputs=model.classes,
            kind=kind,
            unit=model.task.unit,
        )

    @property
    def module_bytes(self) -> int:
        """Size of the module."""
        return len(self.module)

    @property
    def holds(self) -> str:
        """What of the user's data is in the page, as the start of a sentence."""
        of_data = {"graph": "", "features": "Its graph is in this page, too"}
        return of_data.get(self.given, "Its graph and its features are in this page, too")

    @property
    def asked(self) -> str:
        """What a visitor is asked for."""
        return _ASKED[self.given]

    @property
    def heading(self) -> str:
        """What stands above the verdicts."""
        return {"classes": "class", "labels": "labels", "numbers": ""}[self.kind]

    @property
    def settings(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {
            "module": base64.b64encode(self.module).decode("ascii"),
            "given": self.given,
            "whole": self.unit == "graph",
            "nodes": self.num_nodes,
            "edges": self.num_edges,
            "features": self.num_features,
            "outputs": list(self.outputs),
            "kind": self.kind,
        }


def try_it_page(model: PackedModel) -> str:
    """The page of a packed model as HTML: for people who are to see what it predicts.

    Args:
        model: The packed model. Its graph and features, if it has some, are in the page.

    Raises:
        InputError: If the model cannot be written in C, or there is no compiler for WebAssembly.
    """
    return render("try_it.html", page=TryItPage.of(model))


def _description(model: PackedModel, kind: str) -> str:
    spec = model.graph.spec
    unit = "graphs" if model.task.predicts_graphs else "nodes"
    what = f"{len(model.classes)} {kind} of {unit}"
    if model.holds_graph:
        return f"Predicts {what} on a graph of {spec.num_nodes:,} nodes"
    return f"Predicts {what} of other graphs, of up to {spec.num_nodes:,} nodes"
