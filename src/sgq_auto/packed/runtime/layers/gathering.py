"""Layers that gather before they transform: what is gathered cannot be transformed first."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import Component
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.header_fields import flag, list_of
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import (
    Float32,
    LayerEntry,
    LayerParts,
    WeightedLayer,
)
from sgq_auto.packed.runtime.layers.neighbor_sums import unit_rows
from sgq_auto.packed.runtime.neighbor_reductions import NeighborRows, Reduction
from sgq_auto.packed.runtime.weight_products import Multiplier, Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

_Member = TypeVar("_Member", bound=StrEnum)


@dataclass(frozen=True, eq=False, kw_only=True)
class GatheringLayer(WeightedLayer):
    """``y_i = [max_j h_j, ...] W + x_i W_r + b`` over neighbours, with ``h = x``.

    GraphSAGE and its like with the largest of neighbours, or several reductions side by side; and
    GraphSAGE that projects first: ``h = Q(relu(x W_p + b_p))``.

    Attributes:
        reductions: What is taken of neighbours, side by side.
        root: ``W_r``, ``[in, out]``, or ``None`` without a node's own term.
        project: ``W_p``, ``[in, in]``, or ``None``.
        project_bias: ``b_p``, fp32 ``[in]``, or ``None``.
        transformed: Ranges of ``h``, bucket by bucket, where it is projected.
        normalize: Whether each row of the output is divided by its length.
    """

    kind = "gathering"

    reductions: tuple[Reduction, ...]
    root: PackedWeight | None
    project: PackedWeight | None
    project_bias: Float32 | None
    transformed: Ranges | None
    normalize: bool

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """What a node gathered is transformed at once, so it is never held."""
        rows = NeighborRows(inference, self._gathered(inference, source))
        transformed = Multiplier(inference.engine, self.weight)
        own = None if self.root is None else inference.product(source, self.root)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            made = rows.reduced(rowptr, columns, self.reductions)
            out = transformed(np.concatenate(made, axis=1))
            if own is not None:
                out += own(chunk)
            sink(chunk, self.finish(out))

        # Beside what is made: means, which others are made from, and all of them side by side.
        width = (2 * len(self.reductions) + 2) * rows.width
        width = max(width, 0 if own is None else own.row_values, self.out_features)
        costs = 0 if own is None else own.costs
        inference.for_edges(gather, width=width, loops=False, other_costs=costs)

    def finish(self, x: Floats) -> Floats:
        """The bias, and rows of length 1 where they are to be."""
        finished = super().finish(x)
        return unit_rows(finished) if self.normalize else finished

    def _gathered(self, inference: Inference, source: Source) -> Source:
        """``h``: the input, or what it is projected to."""
        if self.project is None or self.transformed is None:
            return source
        name, width = f"{self.spec.name}.transformed", self.spec.transformed_features
        hidden: CodeMatrix = inference.embedding(name, width, self.transformed)
        write, bias = inference.writer(hidden), self.project_bias

        def project(chunk: Chunk, x: Floats) -> None:
            x = x if bias is None else x + bias
            write(chunk, np.maximum(x, 0.0))

        inference.transform(self.project, source, project)
        return hidden

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """What it takes of neighbours, and what it has besides."""
        reductions = reductions_of(entry, node)
        spec = gathering_spec(
            entry.name,
            entry.in_features,
            entry.out_features,
            reductions=len(reductions),
            root_weight=flag(node, "root_weight"),
            project=flag(node, "project"),
            bias=entry.bias,
        )
        return spec, {"reductions": reductions, "normalize": flag(node, "normalize")}

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads."""
        return {
            "reductions": self.reductions,
            "root_weight": self.root is not None,
            "project": self.project is not None,
            "normalize": self.normalize,
        }

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """A second matrix for a node's own term, and a third that projects, where it has them."""
        further = list(spec.further_weights)
        project = {"project_weight": further.pop()} if spec.transformed_features else {}
        root = {"root_weight": further.pop()} if further else {}
        return super().weight_shapes(spec) | root | project

    def weights(self) -> dict[str, PackedWeight]:
        """The others besides, where it has them."""
        others = {"root_weight": self.root, "project_weight": self.project}
        return super().weights() | {key: w for key, w in others.items() if w is not None}

    def vectors(self) -> dict[str, Float32]:
        """The bias of the projection besides, where it has one."""
        own = {} if self.project_bias is None else {"project_bias": self.project_bias}
        return super().vectors() | own

    def made(self) -> dict[Component, Ranges]:
        """The projected embedding, where there is one."""
        return {} if self.transformed is None else {Component.EMBEDDING: self.transformed}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The other matrices, and what projects, besides."""
        return super().arguments(parts) | {
            "root": parts.weights.get("root_weight"),
            "project": parts.weights.get("project_weight"),
            "project_bias": parts.vectors.get("project_bias"),
            "transformed": parts.made.get(Component.EMBEDDING),
        }


def reductions_of(entry: LayerEntry, node: Mapping[str, Any]) -> tuple[Reduction, ...]:
    """The reductions that the entry of a layer lists."""
    return different_ones(Reduction, entry, node, "reductions")


def different_ones(
    kind: type[_Member], entry: LayerEntry, node: Mapping[str, Any], key: str
) -> tuple[_Member, ...]:
    """Members of an enum that the entry of a layer lists: at least one, each once.

    Raises:
        ArtifactError: If they are something else.
    """
    listed, known = list_of(node, key, len(kind)), [str(member) for member in kind]
    if not listed or any(item not in known for item in listed) or len(set(listed)) < len(listed):
        raise ArtifactError(
            f"{entry.name}: {key} is {str(listed)[:60]}; it must be different ones of "
            + ", ".join(known)
        )
    return tuple(kind(item) for item in listed)


def gathering_spec(
    name: str,
    in_features: int,
    out_features: int,
    *,
    reductions: int,
    root_weight: bool,
    project: bool,
    bias: bool,
) -> LayerSpec:
    """Sizes of a layer that gathers its input, or its projected input, and transforms that."""
    root = ((out_features, in_features),) if root_weight else ()
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, reductions * in_features),
        further_weights=root + (((in_features, in_features),) if project else ()),
        keeps_input=True,
        transformed_features=in_features if project else 0,
        vector_elements=(out_features if bias else 0) + (in_features if project else 0),
        vectors=(("project_bias", (in_features,)),) if project else (),
        gathered_features=in_features,
        gathers_itself=False,
        source_copies=1,
    )
