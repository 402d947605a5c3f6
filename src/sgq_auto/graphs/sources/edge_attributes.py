"""Which of the values that a graph has for each edge are its weights, or its features."""

from collections.abc import Mapping

from sgq_auto.errors import InputError

# As PyG calls them.
EDGE_VALUES = ("edge_weight", "edge_attr")


def weights_among(shapes: Mapping[str, tuple[int, ...]], where: str, advice: str) -> str | None:
    """The name of what is taken among what a graph has for each edge; ``None`` without any.

    Arrays without a column are none. One column is a weight, several are features.

    Args:
        shapes: Shape of each array that is called as PyG calls values of edges.
        where: What messages call the graph.
        advice: How to leave out what ``{}`` stands for.

    Raises:
        InputError: If something is no row an edge, or edges have both weights and features.
    """
    shapes = {name: shape for name, shape in shapes.items() if 0 not in shape[1:]}
    for name, shape in shapes.items():
        if len(shape) > 2 or (name == EDGE_VALUES[0] and 1 not in (len(shape), *shape[1:])):
            wanted = "[E], or [E, columns] as edge_attr"
            raise InputError(
                f"{where}: {name} has shape {list(shape)}, and a row of it must be of one edge: "
                f"{wanted}; if it may be ignored, {advice.format(name)}"
            )
    if len(shapes) > 1:
        one, other = shapes
        raise InputError(
            f"{where}: it has {one} and {other}, and edges have either a weight or features here; "
            f"if {other} may be ignored, {advice.format(other)}"
        )
    return next(iter(shapes), None)


def taken_as(shape: tuple[int, ...]) -> str:
    """What values of edges of a shape are taken for, as the rest of a line."""
    if len(shape) < 2 or shape[1] == 1:
        return "the weights of edges"
    return f"the features of edges ({shape[1]} columns)"
