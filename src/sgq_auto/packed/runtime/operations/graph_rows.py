"""Which values of a program have a row a graph, and not a row a node: those after a pooling."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.operations.norms import GraphNorm
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.pooling import Pool


class Described(NamedTuple):
    """An operation as its header entry says it: kind, inputs and settings."""

    kind: type[Operation]
    inputs: tuple[int, ...]
    settings: Mapping[str, Any]


def values_of_graphs(
    operations: Iterable[Described], graph_buffers: Collection[str | None], *, first: bool
) -> list[bool]:
    """Of each value of a stage, whether its rows are graphs.

    Args:
        operations: The operations of the stage.
        graph_buffers: The buffers so far whose rows are graphs.
        first: Whether the rows of the layer's output are graphs.

    Raises:
        ArtifactError: If an operation reads a value that is not made before it, reads rows of nodes
            and rows of graphs, or pools or standardizes rows of graphs.
    """
    found = [first]
    for operation in operations:
        kind, settings = operation.kind, operation.settings
        if any(value >= len(found) for value in operation.inputs):
            raise ArtifactError(f"{kind.kind} reads a value that is not made before it")
        if issubclass(kind, Read):
            found.append(settings["buffer"] in graph_buffers)
            continue
        read = {found[value] for value in operation.inputs}
        if len(read) > 1:
            raise ArtifactError(f"{kind.kind} reads rows of nodes and rows of graphs")
        if True in read and issubclass(kind, Pool | GraphNorm):
            raise ArtifactError(f"{kind.kind} reads rows of graphs; it must read rows of nodes")
        found.append(issubclass(kind, Pool) or True in read)
    return found


def buffers_of_graphs(
    stages: Iterable[tuple[str, Sequence[Described], Sequence[tuple[int, str | None]]]],
) -> frozenset[str | None]:
    """The buffers of a program whose rows are graphs, ``None`` among them for its output.

    Args:
        stages: For each stage, the buffer that its layer reads, its operations, and which value is
            written to which buffer.

    Raises:
        ArtifactError: As :func:`values_of_graphs` does, or if a stage hands on a value that it has
            not.
    """
    buffers: set[str | None] = set()
    for source, operations, outputs in stages:
        values = values_of_graphs(operations, buffers, first=source in buffers)
        for value, buffer in outputs:
            if value >= len(values):
                raise ArtifactError(f"a stage hands on value {value}; it has {len(values)}")
            if values[value]:
                buffers.add(buffer)
    return frozenset(buffers)
