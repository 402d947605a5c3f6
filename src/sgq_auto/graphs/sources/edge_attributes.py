"""Which of the values that a graph has for each edge are the weights of its edges."""

from collections.abc import Mapping

from sgq_auto.errors import InputError

# As PyG calls them.
EDGE_VALUES = ("edge_weight", "edge_attr")


def weights_among(shapes: Mapping[str, tuple[int, ...]], where: str, advice: str) -> str | None:
    """The name of the weights among what a graph has for each edge; ``None`` without any.

    Args:
        shapes: Shape of each array that is called as PyG calls values of edges.
        where: What messages call the graph.
        advice: How to leave out what ``{}`` stands for.

    Raises:
        InputError: If edges have several features, or both weights and features.
    """
    for name, shape in shapes.items():
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise InputError(
                f"{where}: {name} has shape {list(shape)}, and edges have one weight and no other "
                f"features here; if it may be ignored, {advice.format(name)}"
            )
    if len(shapes) > 1:
        one, other = shapes
        raise InputError(
            f"{where}: it has {one} and {other}, and edges have one weight here; if {other} may be "
            f"ignored, {advice.format(other)}"
        )
    return next(iter(shapes), None)
