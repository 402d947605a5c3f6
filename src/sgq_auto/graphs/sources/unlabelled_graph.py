"""A graph without labels, to be predicted: from a PyG file, or from a folder of tables."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from torch_geometric.data import Data

from sgq_auto.errors import InputError
from sgq_auto.graphs.first_lines import listed
from sgq_auto.graphs.sources.degree_features import one_hot_degrees
from sgq_auto.graphs.sources.edge_attributes import EDGE_VALUES
from sgq_auto.graphs.sources.pyg.data import edges_in, features_in, weights_in
from sgq_auto.graphs.sources.pyg.data_list import GRAPH_OF_NODE, joined_fields, listed_graphs
from sgq_auto.graphs.sources.pyg.file import PygFileSource
from sgq_auto.graphs.sources.tables.edges import DEFAULT_ENDS
from sgq_auto.graphs.sources.tables.table_file import Table
from sgq_auto.graphs.sources.tables.table_source import DEGREE_COLUMNS, TableSource
from sgq_auto.node_files.given_graph import GivenGraph

_FIELDS = ("x", "edge_index", *EDGE_VALUES)
_ENDINGS = (".csv", ".parquet")
_GRAPH = "graph"
_MOST = 20


def unlabelled_graph(path: Path, width: int, edge_columns: int = 0) -> GivenGraph:
    """Read a graph, or several, of a ``.pt`` file or of a folder with tables of nodes and edges.

    Args:
        path: The file, as ``torch.save`` writes a ``Data`` or a list of them; or a folder with
            ``nodes.csv`` and ``edges.csv`` (or ``.parquet``), read as a search reads them.
        width: Features that the model takes; nodes without any have their degree as one of so many
            columns, and those of tables their degree besides, where just that is missing.
        edge_columns: Numbers of each edge that the model takes, 0 for none.

    Raises:
        InputError: If it cannot be read, or is no graph.
    """
    return _of_tables(path, width, edge_columns) if path.is_dir() else _of_pyg(path, width)


def _of_pyg(path: Path, width: int) -> GivenGraph:
    made, name = PygFileSource(str(path)).read(), path.name
    several = listed_graphs(made)
    if several is not None:
        fields: dict[str, Any] = joined_fields(several[0], name)
    else:
        given = made.to_dict() if isinstance(made, Data) else made
        if not isinstance(given, dict):
            raise InputError(f"graph={path}: a {type(made).__name__}; save the Data of a graph")
        fields = {key: given[key] for key in _FIELDS if given.get(key) is not None}
    graphs = fields.pop(GRAPH_OF_NODE, None)
    weights, notes = weights_in(fields, name)
    edges = edges_in(fields, name)
    if "x" not in fields and graphs is not None:
        x = one_hot_degrees(edges, graphs.numel(), width - 1)
        said = f"degrees, one column for each from 0 to {width - 1} and more"
        notes = [*notes, f"{name}: nodes have no features x: their features are their {said}"]
    else:
        x = features_in(fields, name)
    of_node = None if graphs is None else graphs.numpy()
    return GivenGraph(_dense(x), edges, weights, of_node, notes=tuple(notes))


def _of_tables(folder: Path, width: int, edge_columns: int) -> GivenGraph:
    nodes, edges = (_table(folder, name) for name in ("nodes", "edges"))
    columns = Table.read(nodes, str(nodes), [_GRAPH], None).columns
    graph = _GRAPH if _GRAPH in columns else None
    of_edges = _edge_columns(edges, edge_columns)
    settings: dict[str, Any] = {"graph": graph}
    if of_edges:
        settings |= (
            {"edge_weight": of_edges[0]} if edge_columns == 1 else {"edge_features": of_edges}
        )
    raw = TableSource(str(nodes), str(edges), **settings).load(labelled=False)
    if width - raw.x.shape[1] == DEGREE_COLUMNS:
        # The search added degrees; a line of the notes says that they are features here too.
        settings |= {"one_hot_degree": True}
        raw = TableSource(str(nodes), str(edges), **settings).load(labelled=False)
    weights, of_node = raw.edge_weight, raw.graph_of_node
    given = _dense(raw.x), raw.edge_index, weights, of_node, raw.node_ids, raw.notes
    return GivenGraph(*given, raw.graph_names)


def _edge_columns(edges: Path, wanted: int) -> list[str]:
    """The columns of weights or features: all beside the ends of edges and their graph.

    Raises:
        InputError: If there are other numbers of them than the model takes.
    """
    if not wanted:
        return []
    columns = Table.read(edges, str(edges), [], None).columns
    found = [name for name in columns if name not in (*DEFAULT_ENDS, _GRAPH)]
    if len(found) != wanted:
        raise InputError(
            f"graph={edges}: the model takes {wanted} numbers of each edge, and beside the ends of "
            f"edges there are {len(found)} columns ({listed(found, _MOST)}); give it those of the "
            "search, in their order"
        )
    return found


def _table(folder: Path, name: str) -> Path:
    found = [folder / f"{name}{ending}" for ending in _ENDINGS]
    for path in found:
        if path.is_file():
            return path
    raise InputError(f"graph={folder}: no {found[0].name} or {found[1].name} in this folder")


def _dense(x: Any) -> np.ndarray[Any, Any]:
    dense: np.ndarray[Any, Any] = x.toarray() if scipy.sparse.issparse(x) else x
    return dense
