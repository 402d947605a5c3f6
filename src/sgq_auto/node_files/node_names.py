"""What ``infer`` calls the nodes of a packed model, and which nodes it is asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.node_files.given_graph import GivenGraph
from sgq_auto.node_files.node_ids import ID_COLUMN, IDS_FILE, NodeIds, node_ids_beside
from sgq_auto.node_files.predictions import read_ids
from sgq_auto.packed import PackedModel

_STUDY = "study"
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class NodeNames:
    """What the nodes are called.

    Attributes:
        num_nodes: Nodes of the model.
        searched: Their ids in the search, where they lie beside the artifact.
        given: Their ids in a file that was given, which are shown in place of the others.
        note: What to say of it, or ``None``.
    """

    num_nodes: int
    searched: NodeIds | None = None
    given: NodeIds | None = None
    note: str | None = None

    @classmethod
    def of(
        cls, model: PackedModel, artifact: Path, ids: Path | None = None, column: str | None = None
    ) -> Self:
        """Find the ids of a model's nodes.

        Args:
            model: The model.
            artifact: Its file, beside which its study keeps the ids.
            ids: A CSV file with a row for each node, or ``None``.
            column: The column of that file, or ``None``.

        Raises:
            InputError: If a file is damaged, does not fit, or it is not clear which column.
        """
        num_nodes = model.num_nodes
        used = model.source.get(ID_COLUMN)
        searched = node_ids_beside(artifact, str(model.source.get(_STUDY)), num_nodes)
        if searched is not None:
            used = searched.column
        used = used if isinstance(used, str) else None
        if ids is None:
            return cls(num_nodes, searched, note=_note(searched, used, model))
        given = read_ids(ids, num_nodes, column, used)
        if searched is not None and given.column == searched.column:
            _check_order(ids, given, searched)
        return cls(
            num_nodes, searched, given, f"nodes are called by column {given.column!r} of {ids}"
        )

    @classmethod
    def of_graph(
        cls, graph: GivenGraph, ids: Path | None = None, column: str | None = None
    ) -> Self:
        """The ids of the nodes of a graph that is given: its own, or those of a file.

        Args:
            graph: The graph.
            ids: A CSV file with a row for each node, or ``None``.
            column: The column of that file, or ``None``.

        Raises:
            InputError: If the file is damaged, does not fit, or it is not clear which column.
        """
        if ids is None:
            called = graph.ids
            note = None if called is None else f"nodes are called by column {called.column!r}"
            return cls(graph.num_nodes, given=called, note=note)
        named = read_ids(ids, graph.num_nodes, column)
        note = f"nodes are called by column {named.column!r} of {ids}"
        return cls(graph.num_nodes, given=named, note=note)

    def rows(self, asked: Sequence[str] | None) -> list[int] | None:
        """The rows of the nodes that are asked for, by their ids or the numbers of their rows.

        Numbers are rows only where no id is a number.

        Raises:
            InputError: If there is no such node.
        """
        return None if asked is None else [self._row(name) for name in asked]

    def called(self, rows: Iterable[int] | None) -> Iterable[str]:
        """What nodes are called, for showing predictions: ids of a given file, else of the search.

        Args:
            rows: Rows of the nodes; ``None`` means all.

        Returns:
            A name for each; the number of its row where no ids are known.
        """
        shown = self.given or self.searched
        numbers = range(self.num_nodes) if rows is None else rows
        return map(str, numbers) if shown is None else (shown[row] for row in numbers)

    def _row(self, name: str) -> int:
        known = [ids for ids in (self.searched, self.given) if ids is not None]
        for ids in known:
            found = ids.rows_of(name)
            if found.size > 1:
                raise InputError(
                    f"nodes: {found.size:,} nodes are called {name!r} in column {ids.column!r}"
                )
            if found.size:
                return int(found[0])
        if name.isdecimal() and not any(ids.holds_numbers for ids in known):
            return int(name)
        if not known:
            raise InputError(
                f"nodes: {name!r} is no number; a node is the number of its row, counted from 0, "
                "like nodes=0,5,7 (ids=nodes.csv names them)"
            )
        like = ", ".join(repr(known[0][row]) for row in range(min(_SHOWN, self.num_nodes)))
        raise InputError(f"nodes: no node is called {name!r}; nodes are called like {like}")


def _note(searched: NodeIds | None, used: str | None, model: PackedModel) -> str | None:
    if searched is not None:
        return f"nodes are called by column {searched.column!r}, as in the search"
    if used is None:
        return None
    return (
        f"nodes are called by the numbers of their rows: the ids of column {used!r} are in "
        f"{IDS_FILE} of study {model.source.get(_STUDY)!r}, which is not beside the artifact; copy "
        "it there, or give ids=FILE"
    )


def _check_order(path: Path, given: NodeIds, searched: NodeIds) -> None:
    """Refuse a table whose rows are in another order than they were in the search."""
    if np.array_equal(given.ends, searched.ends) and np.array_equal(given.text, searched.text):
        return
    row = next(row for row in range(len(given)) if given[row] != searched[row])
    raise InputError(
        f"ids={path}: row {row + 1} is called {given[row]!r}, in the search it was "
        f"{searched[row]!r}; the rows must be as they were (without ids= the search's are used)"
    )
