"""How embeddings pass between the layers of a model, and which of them are held how long."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Carried:
    """A full-precision tensor that a model keeps for itself while layers run, and no site has.

    Attributes:
        num_bytes: Its size.
        made: Layers that had run when it was made.
        read: Layers that had run when it was last read.
        is_input: Whether a layer reads it too, and holds it in codes of its own.
    """

    num_bytes: int
    made: int
    read: int
    is_input: bool


@dataclass(frozen=True)
class SkipSpec:
    """A skip connection: an embedding that is held past a layer, in codes of its own.

    Attributes:
        name: The name of its sites, like ``conv1.skip``.
        features: Its columns.
        made: Layers that had run when it was made.
        read: Layers that had run when it was last read.
        per_graph: Whether its rows are graphs, and not nodes.
    """

    name: str
    features: int
    made: int
    read: int
    per_graph: bool = False


@dataclass(frozen=True)
class PooledSpec:
    """What a packed model holds, fp32, while it pools rows of nodes to rows of graphs.

    Attributes:
        columns: Numbers of a graph: its columns, and the number of nodes beside them for a mean.
        made: Layers that had run when it was made; no later one reads it.
    """

    columns: int
    made: int


@dataclass(frozen=True)
class DataFlow:
    """How tensors pass between the layers of a model.

    Attributes:
        inputs: For each layer, how many layers had run when its input was made; ``None`` where it
            reads the node features.
        shared: Positions of layers that read the very tensor that an earlier one reads.
        carried: Tensors that are held outside the layers while some run.
        skips: Embeddings that are held outside the layers in codes.
        input_reads: For each layer, how many layers had run when its input was last read outside
            the layers (a skip connection that shares its codes); 0 where it never was.
        vector_elements: fp32 parameters that are read outside the layers, those of norms say.
        packed_vector_elements: How many fp32 numbers a packed model has instead of these; ``None``
            for as many.
        feature_reads: Layers that had run when something that is no layer last read the node
            features; ``None`` if nothing did.
        pooled: What is held while a packed model pools, for each pooling.
    """

    inputs: tuple[int | None, ...]
    shared: frozenset[int] = frozenset()
    carried: tuple[Carried, ...] = ()
    skips: tuple[SkipSpec, ...] = ()
    input_reads: tuple[int, ...] = ()
    vector_elements: int = 0
    packed_vector_elements: int | None = None
    feature_reads: int | None = None
    pooled: tuple[PooledSpec, ...] = ()

    @classmethod
    def chain(cls, layers: int) -> "DataFlow":
        """The first layer reads the node features, each other one what its predecessor made."""
        return cls((None, *range(1, layers)))
