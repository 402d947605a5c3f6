"""The base of every layer kind: what a layer holds, and what an artifact says of it.

A kind is a class in a file of its own, listed in
:mod:`sgq_auto.packed.runtime.layers.layer_kinds`. Its class says what it
computes, how it is entered in the header of an artifact and read from there, and which tensors of
its own an artifact holds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from sgq_auto.packed.allocation import Component
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

Float32 = npt.NDArray[np.float32]
Shapes = dict[str, tuple[int, ...]]
# What gives the rows of an embedding that a chunk has, fp64.
Rows = Callable[[Chunk], Floats]
_WEIGHTED = "edge_weights"


@dataclass(frozen=True)
class LayerEntry:
    """What a header says of a layer of any kind; checked.

    Attributes:
        name: The layer's name in the model.
        in_features: Width of its input, at least 1.
        out_features: Width of its output, at least 1.
        bias: Whether it has a bias.
    """

    name: str
    in_features: int
    out_features: int
    bias: bool


def reads_weights(node: Mapping[str, Any]) -> bool:
    """Whether a header says that a layer reads weights of edges; headers of others do not.

    Raises:
        ArtifactError: If it says something else.
    """
    return _WEIGHTED in node and flag(node, _WEIGHTED)


def reading_weights(spec: LayerSpec) -> dict[str, Any]:
    """What :func:`reads_weights` reads; nothing of a layer that reads none."""
    return {_WEIGHTED: True} if spec.edge_weights else {}


@dataclass(frozen=True, eq=False)
class LayerParts:
    """What a layer is made of, whether it is read from an artifact or comes from training.

    Attributes:
        spec: Its sizes.
        inputs: Ranges of its input embedding, bucket by bucket.
        made: Ranges of what it makes and holds while it runs: its transformed embedding
            (``EMBEDDING``) and its coefficients (``ATTENTION``), where it has them.
        hops: Ranges of each embedding between its hops, where it has several.
        weights: Its weight matrices, by the name of their tensors.
        vectors: Its fp32 parameters, by the name of their tensors; ``bias`` among them.
        settings: What its class takes besides, by the name of the argument.
    """

    spec: LayerSpec
    inputs: Ranges
    made: Mapping[Component, Ranges] = field(default_factory=dict)
    hops: tuple[Ranges, ...] = ()
    weights: Mapping[str, PackedWeight] = field(default_factory=dict)
    vectors: Mapping[str, Float32] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class PackedLayer(ABC):
    """What every layer has.

    Attributes:
        kind: The name of its kind in a header.
        feature_fault: Why a layer of this kind cannot read the node features, as the rest of a
            line; empty where it can.
        further_inputs: How many embeddings it reads besides its input, each as wide as that.
        takes_graphs: Whether its rows may be graphs, of which something was pooled.
        spec: Its sizes.
        inputs: Ranges of its input embedding, bucket by bucket.
        bias: fp32 ``[out]``, or ``None``.
    """

    kind: ClassVar[str]
    feature_fault: ClassVar[str] = ""
    further_inputs: ClassVar[int] = 0
    takes_graphs: ClassVar[bool] = False

    spec: LayerSpec
    inputs: Ranges
    bias: Float32 | None = None

    @property
    def out_features(self) -> int:
        """Width of its output."""
        return self.spec.weight_shape[0] if self.spec.weight_shape else self.spec.in_features

    @abstractmethod
    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """Compute the layer's output from ``source`` and write it to ``sink``, chunk by chunk."""

    def run_with(
        self, inference: Inference, source: Source, further: Sequence[Rows], sink: Sink
    ) -> None:
        """The same for a layer that may read more than its input.

        Args:
            inference: The graph and the arithmetic.
            source: Its input.
            further: What gives the rows of each of its :attr:`further_inputs`.
            sink: What its output is written to.
        """
        del further
        self.run(inference, source, sink)

    def finish(self, x: Floats) -> Floats:
        """The bias: the last step of every layer."""
        if self.bias is not None:
            x += self.bias
        return x

    # What an artifact's header says of it.

    @classmethod
    @abstractmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Read what a header says of a layer of this kind alone, and check it.

        Args:
            entry: What it says of every layer.
            node: The whole entry, as JSON. Nothing in it is checked.

        Returns:
            The layer's sizes, and the ``settings`` of its :class:`LayerParts`.

        Raises:
            ArtifactError: If something is missing, of the wrong type, or contradicts the rest.
        """

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads, for the header that is written."""
        return {}

    # The tensors that an artifact holds of it.

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """``(out, in)`` of each weight matrix, by the name of its tensor.

        All have the bits of the layer's weights, and a scale for each output channel.
        """
        return {"weight": spec.weight_shape} if spec.weight_shape else {}

    @classmethod
    def vector_shapes(cls, spec: LayerSpec) -> Shapes:
        """Shapes of the fp32 tensors besides the bias, by name."""
        return dict(spec.vectors)

    def weights(self) -> dict[str, PackedWeight]:
        """Its weight matrices, as :meth:`weight_shapes` names them."""
        return {}

    def vectors(self) -> dict[str, Float32]:
        """Its fp32 tensors: the bias, and what :meth:`vector_shapes` names."""
        return {} if self.bias is None else {"bias": self.bias}

    def made(self) -> dict[Component, Ranges]:
        """Ranges of what it makes and holds while it runs, as in :class:`LayerParts`."""
        return {}

    def hop_ranges(self) -> tuple[Ranges, ...]:
        """Ranges of each embedding between its hops."""
        return ()

    # How it is made.

    @classmethod
    def of(cls, parts: LayerParts) -> Self:
        """The layer of these parts."""
        return cls(**cls.arguments(parts))

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """What its class is called with; a kind adds what it has besides."""
        return {
            "spec": parts.spec,
            "inputs": parts.inputs,
            "bias": parts.vectors.get("bias"),
            **parts.settings,
        }

    # What is quantized in it.

    def bucket_bits(self, *, reads_features: bool) -> dict[Component, tuple[int, ...]]:
        """Bits of its own embedding and attention, bucket by bucket, where it has those.

        Args:
            reads_features: Whether its input is the node features, whose bits are not its own.
        """
        ranges = self.made()
        if not reads_features:
            ranges[Component.EMBEDDING] = self.inputs
        return {component: ranges[component].bits for component in Component if component in ranges}

    @property
    def weight_bits(self) -> int | None:
        """Bits of its weights; ``None`` without any."""
        return next((weight.bits for weight in self.weights().values()), None)


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightedLayer(PackedLayer):
    """A layer with a weight matrix.

    Attributes:
        weight: The weight ``[in, out]``.
    """

    weight: PackedWeight

    def weights(self) -> dict[str, PackedWeight]:
        """The weight."""
        return {"weight": self.weight}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The weight besides."""
        return super().arguments(parts) | {"weight": parts.weights["weight"]}


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvLayer(WeightedLayer):
    """A layer that gathers ``h = Q(x W)``.

    Attributes:
        transformed: Ranges of ``h``, bucket by bucket.
    """

    transformed: Ranges

    def embed(self, inference: Inference, source: Source) -> CodeMatrix:
        """``h``, packed: made before the gather, for each row is read once an edge."""
        width = self.spec.transformed_features
        hidden = inference.embedding(f"{self.spec.name}.transformed", width, self.transformed)
        inference.transform(self.weight, source, inference.writer(hidden))
        return hidden

    def made(self) -> dict[Component, Ranges]:
        """The transformed embedding."""
        return {Component.EMBEDDING: self.transformed}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The ranges of what it gathers besides."""
        return super().arguments(parts) | {"transformed": parts.made[Component.EMBEDDING]}


@dataclass(frozen=True, eq=False, kw_only=True)
class AttentionConvLayer(ConvLayer):
    """A layer that gathers ``h`` with a coefficient for each edge.

    Attributes:
        attention: Ranges of the coefficients, bucket by bucket of their target.
    """

    attention: Ranges

    def made(self) -> dict[Component, Ranges]:
        """The coefficients besides."""
        return super().made() | {Component.ATTENTION: self.attention}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The ranges of the coefficients besides."""
        return super().arguments(parts) | {"attention": parts.made[Component.ATTENTION]}
