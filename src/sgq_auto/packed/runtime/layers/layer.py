"""What the layers of a packed model have in common, and the one that reads no graph."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.sizes.specs import LayerSpec

if TYPE_CHECKING:
    from sgq_auto.packed.runtime.workspace import Inference, Sink, Source

Float32 = npt.NDArray[np.float32]


class LayerKind(StrEnum):
    """The layers there are."""

    LINEAR = "linear"
    GCN = "gcn"
    GAT = "gat"
    SAGE = "sage"
    GIN = "gin"
    AGNN = "agnn"


class Aggregation(StrEnum):
    """What a layer without coefficients makes of a node's neighbours."""

    MEAN = "mean"
    SUM = "sum"


class Activation(StrEnum):
    """What is applied to a layer's output, element by element."""

    NONE = "none"
    RELU = "relu"
    ELU = "elu"

    def __call__(self, x: Floats) -> Floats:
        """The activated values; may change ``x``."""
        if self is Activation.RELU:
            return np.maximum(x, 0.0, out=x)
        if self is Activation.ELU:
            return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))
        return x


@dataclass(frozen=True, eq=False, kw_only=True)
class PackedLayer(ABC):
    """What every layer has.

    Attributes:
        spec: Its sizes.
        activation: Applied to its output.
        inputs: Ranges of its input embedding, bucket by bucket.
        bias: fp32 ``[out]``, or ``None``.
    """

    kind: ClassVar[LayerKind]

    spec: LayerSpec
    activation: Activation
    inputs: Ranges
    bias: Float32 | None = None

    @property
    def out_features(self) -> int:
        """Width of its output."""
        return self.spec.weight_shape[0] if self.spec.weight_shape else self.spec.in_features

    @abstractmethod
    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """Compute the layer's output from ``source`` and write it to ``sink``."""

    def finish(self, x: Floats) -> Floats:
        """Bias and activation."""
        if self.bias is not None:
            x += self.bias
        return self.activation(x)


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightedLayer(PackedLayer):
    """A layer with a weight matrix.

    Attributes:
        weight: The weight ``[in, out]``.
    """

    weight: PackedWeight


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearLayer(WeightedLayer):
    """``y = x W + b``."""

    kind = LayerKind.LINEAR

    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """See the base class."""
        inference.transform(self, source, lambda chunk, x: sink(chunk, self.finish(x)))


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvLayer(WeightedLayer):
    """A layer that gathers ``h = Q(x W)``.

    Attributes:
        transformed: Ranges of ``h``, bucket by bucket.
    """

    transformed: Ranges

    def embed(self, inference: "Inference", source: "Source") -> CodeMatrix:
        """``h``, packed."""
        width = self.spec.transformed_features
        hidden = inference.embedding(f"{self.spec.name}.transformed", width, self.transformed)
        inference.transform(
            self, source, lambda chunk, x: inference.engine.write(hidden, chunk.row, x)
        )
        return hidden


@dataclass(frozen=True, eq=False, kw_only=True)
class AttentionConvLayer(ConvLayer):
    """A layer that gathers ``h`` with a coefficient for each edge.

    Attributes:
        attention: Ranges of the coefficients, bucket by bucket of their target.
    """

    attention: Ranges
