"""Whether a model predicts what its task asks for: nodes, or whole graphs."""

from typing import Any

from torch import Tensor

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph


def check_rows(output: Any, graph: Graph, model: str) -> None:
    """Check that a model pools nodes where its task is about graphs, and only there.

    Args:
        output: What it returned.
        graph: The graph that it ran on.
        model: What it is called.

    Raises:
        InputError: If not.
    """
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) == graph.num_outputs:
        return
    rows, task = len(output), graph.task
    if task.predicts_graphs and rows in (1, graph.num_nodes):
        returned = "one row for all graphs together" if rows == 1 else "one row for each node"
        raise InputError(
            f"{model}: it returns {returned}; for task={task} it must return one for each of the "
            f"{graph.num_graphs} graphs: let its forward pass take batch, and pool nodes by it, as "
            "global_mean_pool(x, batch) does"
        )
    if not task.predicts_graphs and rows == 1:
        raise InputError(
            f"{model}: it returns one row for the whole graph, as a model that pools nodes does; "
            f"for task={task} it must return one for each of the {graph.num_nodes} nodes"
        )
