"""A graph convolution with an initial residual (GCNII, Chen et al. 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import Component
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.header_fields import flag, number
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import (
    LayerEntry,
    LayerParts,
    Rows,
    WeightedLayer,
    reading_weights,
    reads_weights,
)
from sgq_auto.packed.runtime.layers.normalized_sums import NormalizedSum
from sgq_auto.packed.runtime.operations.operation import bounded
from sgq_auto.packed.runtime.weight_products import Multiplier, Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

_INITIAL, _NORMALIZE = "initial_weight", "normalize"


@dataclass(frozen=True, eq=False, kw_only=True)
class Gcn2Layer(WeightedLayer):
    """``y = u ((1 - beta) I + beta W)`` with ``u = (1 - alpha) Q(A) x + alpha x_0``.

    ``x_0`` is an embedding that the model keeps, its second input. With a weight of its own it is
    ``y = (1 - alpha) Q(A) x M + alpha x_0 M_0``, each ``M`` made of its own weight in that way.

    Attributes:
        attention: Ranges of the coefficients, bucket by bucket of their target; ``None`` where
            neighbours are summed as they are, the node itself not among them.
        initial: The weight of ``x_0``, ``[in, in]``; ``None`` where it is that of ``x``.
        alpha: The share of ``x_0``.
        beta: The share of the weight beside the identity.
    """

    kind = "gcn2"
    feature_fault = "a GCN2 layer cannot read the node features"
    further_inputs = 1

    attention: Ranges | None
    initial: PackedWeight | None
    alpha: float
    beta: float

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """The layer where ``x_0`` is its input."""
        held = _embedding(source)
        rows: Rows = lambda chunk: inference.engine.read(held, chunk.row, chunk.stop)  # noqa: E731
        self.run_with(inference, source, [rows], sink)

    def run_with(
        self, inference: Inference, source: Source, further: Sequence[Rows], sink: Sink
    ) -> None:
        """Its input is gathered as it is; products are of rows that nothing holds."""
        hidden, (start_of,) = _embedding(source), further
        normalized = NormalizedSum(inference, self.spec, self.attention)
        mixed = self._mixer(inference, self.weight)
        mixed_start = mixed if self.initial is None else self._mixer(inference, self.initial)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            own = (1 - self.alpha) * normalized(chunk, rowptr, columns, hidden)
            start = self.alpha * start_of(chunk)
            out = mixed(own + start) if self.initial is None else mixed(own) + mixed_start(start)
            sink(chunk, out)

        loops = self.spec.gathers_itself
        inference.for_edges(gather, width=3 * hidden.width, loops=loops)

    def _mixer(self, inference: Inference, weight: PackedWeight) -> "_Mixer":
        return _Mixer(Multiplier(inference.engine, weight), self.beta)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its shares, its weights, and whether it reads weights of edges."""
        if entry.out_features != entry.in_features or entry.bias:
            raise ArtifactError(f"{entry.name}: a GCN2 layer keeps its width and has no bias")
        spec = gcn2_spec(
            entry.name,
            entry.in_features,
            initial_weight=flag(node, _INITIAL),
            normalize=flag(node, _NORMALIZE),
            edge_weights=reads_weights(node),
        )
        return spec, {name: number(node, name) for name in ("alpha", "beta")}

    def described(self) -> dict[str, Any]:
        """Its shares, its weights, and whether it reads weights of edges, if it does."""
        shares = {"alpha": self.alpha, "beta": self.beta}
        options = {_INITIAL: self.initial is not None, _NORMALIZE: self.attention is not None}
        return {**shares, **options, **reading_weights(self.spec)}

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """A second matrix of the same shape, where ``x_0`` has one of its own."""
        own = zip([_INITIAL], spec.further_weights, strict=False)
        return super().weight_shapes(spec) | dict(own)

    def weights(self) -> dict[str, PackedWeight]:
        """The weight of ``x_0`` besides, where it has one of its own."""
        return super().weights() | ({} if self.initial is None else {_INITIAL: self.initial})

    def made(self) -> dict[Component, Ranges]:
        """The coefficients, if there are some."""
        return {} if self.attention is None else {Component.ATTENTION: self.attention}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The ranges of its coefficients and the weight of ``x_0`` besides."""
        own = {
            "attention": parts.made.get(Component.ATTENTION),
            "initial": parts.weights.get(_INITIAL),
        }
        return super().arguments(parts) | own


@dataclass(frozen=True, eq=False)
class _Mixer:
    """``(1 - beta) x + beta x W`` of any rows."""

    product: Multiplier
    beta: float

    def __call__(self, x: Floats) -> Floats:
        # Rows of a file's own making may be beyond fp32, and products of these beyond fp64.
        x = bounded(x)
        out: Floats = (1 - self.beta) * x + self.beta * self.product(x)
        return out


def _embedding(source: Source) -> CodeMatrix:
    if not isinstance(source, CodeMatrix):
        raise TypeError("a GCN2 layer reads an embedding, not the node features")
    return source


def gcn2_spec(
    name: str,
    in_features: int,
    *,
    initial_weight: bool,
    normalize: bool,
    edge_weights: bool = False,
) -> LayerSpec:
    """Sizes of a graph convolution with an initial residual."""
    shape = (in_features, in_features)
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=shape,
        further_weights=(shape,) if initial_weight else (),
        keeps_input=True,
        heads=1 if normalize else 0,
        attention_from_degrees=normalize,
        gathered_features=in_features,
        gathers_itself=normalize,
        source_copies=1,
        attention_copies=1 if normalize else 0,
        edge_weights=edge_weights,
    )
