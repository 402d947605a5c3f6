"""Principal neighbourhood aggregation (Corso et al. 2020)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import count
from sgq_auto.packed.runtime.edge_features import (
    EdgeFeatures,
    read_edge_features,
    said_of_edges,
    unpacked,
)
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.gathering import different_ones, reductions_of
from sgq_auto.packed.runtime.layers.layer import ConvLayer, Float32, LayerEntry, LayerParts
from sgq_auto.packed.runtime.neighbor_reductions import AddedToEntries, NeighborRows, Reduction
from sgq_auto.packed.runtime.weight_products import Multiplier, Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

_TARGET, _OWN, _POST = _WEIGHTS = ("target_weight", "own_weight", "post_weight")
_EDGES = "edge_matrix"


class Scaler(StrEnum):
    """What a node's reductions are multiplied by, from its degree ``d``."""

    IDENTITY = "identity"
    AMPLIFICATION = "amplification"
    ATTENUATION = "attenuation"
    LINEAR = "linear"
    INVERSE_LINEAR = "inverse_linear"

    def factors(self, degrees: Array, averages: Floats) -> Floats:
        """``[rows]``, from degrees and the averages of ``d`` and of ``log(d + 1)``."""
        degrees = degrees.astype(np.float64)
        known = np.maximum(degrees, 1.0)
        factors: Floats
        match self:
            case Scaler.AMPLIFICATION:
                factors = np.log(degrees + 1) / averages[1]
            case Scaler.ATTENUATION:
                factors = averages[1] / np.log(known + 1)
            case Scaler.LINEAR:
                factors = degrees / averages[0]
            case Scaler.INVERSE_LINEAR:
                factors = averages[0] / known
            case _:
                factors = np.ones(degrees.size)
        return factors


@dataclass(frozen=True, eq=False, kw_only=True)
class PnaLayer(ConvLayer):
    """``y_i = x_i W_o + [s (r_j (t_i + h_j)), ...] W_p + b`` over neighbours.

    Each reduction ``r`` is multiplied by each scaler ``s``. What a neighbour sends is ``h_j``, a
    packed embedding, and what the target adds to it, ``t_i = x_i W_t + b_t``, which is made when
    its neighbours are gathered. Linear layers that follow one another are one matrix. Where edges
    have features, ``e_ij W_e`` is added to ``h_j``.

    Attributes:
        reductions: What is taken of neighbours.
        scalers: What reductions are multiplied by; all of the first scaler come first.
        target: ``W_t``, ``[in, channels]``.
        own: ``W_o``, ``[in, out]``.
        post: ``W_p``, ``[scalers * reductions * channels, out]``.
        target_bias: ``b_t``, fp32 ``[channels]``.
        degree_averages: The averages that scalers use, fp32: of degrees, and of ``log(d + 1)``.
        edge_matrix: ``W_e``, ``[edge features, channels]``; ``None`` where it reads none.
    """

    kind = "pna"

    reductions: tuple[Reduction, ...]
    scalers: tuple[Scaler, ...]
    target: PackedWeight
    own: PackedWeight
    post: PackedWeight
    target_bias: Float32
    degree_averages: Float32
    edge_matrix: PackedWeight | None = None

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """What a node gathered is transformed at once, so it is never held."""
        rows = NeighborRows(inference, self.embed(inference, source))
        post = Multiplier(inference.engine, self.post)
        target, own = (inference.product(source, w) for w in (self.target, self.own))
        of_edges = self._of_edges(inference)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            degrees = np.diff(rowptr)
            made = rows.reduced(rowptr, columns, self.reductions, of_edges(chunk))
            added = target(chunk) + self.target_bias
            shifted = [
                _shifted(x, r, added, degrees) for x, r in zip(made, self.reductions, strict=True)
            ]
            out = post(self._scaled(np.concatenate(shifted, axis=1), degrees))
            out += own(chunk)
            sink(chunk, self.finish(out))

        # What is made of neighbours, the same shifted, and once a scaler, with what that needs.
        values = (2 * len(self.reductions) + 3) * rows.width + self.spec.further_weights[2][1]
        width = max(values, target.row_values, own.row_values)
        costs = target.costs + own.costs
        inference.for_edges(gather, width=width, loops=False, other_costs=costs)

    def _of_edges(self, inference: Inference) -> Callable[[Chunk], AddedToEntries | None]:
        """What the edges of a chunk add to what is sent along them; nothing without features."""
        if self.edge_matrix is None:
            return lambda _: None
        features, matrix = EdgeFeatures(inference), unpacked(inference.engine, self.edge_matrix)

        def of_chunk(chunk: Chunk) -> AddedToEntries:
            return lambda part: features.coded(chunk, part.start, part.stop - part.start) @ matrix

        return of_chunk

    def _scaled(self, reduced: Floats, degrees: Array) -> Floats:
        """``[rows, reductions * channels]`` times each scaler, side by side."""
        averages = self.degree_averages.astype(np.float64)
        factors = [scaler.factors(degrees, averages)[:, None] for scaler in self.scalers]
        scaled: Floats = np.concatenate([factor * reduced for factor in factors], axis=1)
        return scaled

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """What it takes of neighbours, and how it scales that."""
        reductions = reductions_of(entry, node)
        scalers = different_ones(Scaler, entry, node, "scalers")
        if not entry.bias:
            raise ArtifactError(f"{entry.name}: a PNA layer has a bias")
        spec = pna_spec(
            entry.name,
            entry.in_features,
            entry.out_features,
            channels=count(node, "channels", 1),
            reductions=len(reductions) * len(scalers),
            edge_features=read_edge_features(node),
        )
        return spec, {"reductions": reductions, "scalers": scalers}

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads."""
        channels = self.spec.transformed_features
        own = {"channels": channels, "reductions": self.reductions, "scalers": self.scalers}
        return own | said_of_edges(self.spec.edge_features, None, loops=False)

    @property
    def out_features(self) -> int:
        """Width of its output."""
        return self.spec.further_weights[2][0]

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """Those of targets, of a node itself, of what it gathered, and of edges besides."""
        names = (*_WEIGHTS, _EDGES) if spec.edge_features else _WEIGHTS
        return super().weight_shapes(spec) | dict(zip(names, spec.further_weights, strict=True))

    def weights(self) -> dict[str, PackedWeight]:
        """The others besides."""
        of_edges = {} if self.edge_matrix is None else {_EDGES: self.edge_matrix}
        own = {_TARGET: self.target, _OWN: self.own, _POST: self.post}
        return super().weights() | own | of_edges

    def vectors(self) -> dict[str, Float32]:
        """What targets add and the averages besides."""
        own = {"target_bias": self.target_bias, "degree_averages": self.degree_averages}
        return super().vectors() | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The other matrices, what targets add, and the averages besides.

        Raises:
            ArtifactError: If an average is not above 0: reductions are divided by it.
        """
        averages = parts.vectors["degree_averages"]
        if not (averages > 0).all():
            raise ArtifactError(f"{parts.spec.name}: degree_averages must be above 0")
        keys = zip(("target", "own", "post"), _WEIGHTS, strict=True)
        vectors = {"target_bias": parts.vectors["target_bias"], "degree_averages": averages}
        made: dict[str, Any] = {n: parts.weights[key] for n, key in keys}
        made["edge_matrix"] = parts.weights.get(_EDGES)
        return super().arguments(parts) | made | vectors


def pna_spec(
    name: str,
    in_features: int,
    out_features: int,
    *,
    channels: int,
    reductions: int,
    edge_features: int = 0,
) -> LayerSpec:
    """Sizes of such a layer; ``reductions`` are counted once a scaler."""
    post = (out_features, reductions * channels)
    of_edges = ((channels, edge_features),) if edge_features else ()
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(channels, in_features),
        further_weights=((channels, in_features), (out_features, in_features), post, *of_edges),
        keeps_input=True,
        transformed_features=channels,
        vector_elements=out_features + channels + 2,
        vectors=(("target_bias", (channels,)), ("degree_averages", (2,))),
        gathered_features=channels,
        gathers_itself=False,
        source_copies=1,
        target_copies=1,
        edge_features=edge_features,
    )


def _shifted(reduced: Floats, reduction: Reduction, added: Floats, degrees: Array) -> Floats:
    """A reduction of ``h_j`` as one of ``t_i + h_j``; 0 of a node without neighbours."""
    if reduction in (Reduction.VAR, Reduction.STD):
        return reduced
    times = degrees if reduction is Reduction.SUM else np.minimum(degrees, 1)
    shifted: Floats = reduced + times[:, None] * added
    return shifted
