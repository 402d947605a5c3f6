"""PyG's norms as operations of a packed model."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import norm

from sgq_auto.packed.runtime.operations.elementwise import Affine, Scale
from sgq_auto.packed.runtime.operations.joins import Multiply, Project
from sgq_auto.packed.runtime.operations.norms import (
    CenterColumns,
    NormalizeRows,
    PairNorm,
    SoftmaxRows,
    StandardizeAll,
    StandardizeColumns,
    StandardizeRows,
)
from sgq_auto.packed.runtime.operations.operation import Float32
from sgq_auto.quantize.program.program_builder import Builder, Row, UnpackableError

Lowered = Callable[[Builder, Any, Row], Row]


def array(tensor: Tensor) -> Float32:
    """A parameter's values, fp32."""
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def affine(builder: Builder, row: Row, scale: Tensor | None, shift: Tensor | None) -> Row:
    """``scale x + shift`` column by column; nothing where there is neither."""
    if scale is None and shift is None:
        return row
    ones, zeros = np.ones(row.width, np.float32), np.zeros(row.width, np.float32)
    made = Affine(
        inputs=(row.value,),
        scale=ones if scale is None else array(scale),
        shift=zeros if shift is None else array(shift),
    )
    return builder.add(made, row.width)


def batch_norm(
    builder: Builder,
    row: Row,
    weight: Tensor | None,
    bias: Tensor | None,
    statistics: tuple[Tensor, Tensor] | None,
    eps: float,
) -> Row:
    """A batch norm: folded into scales and shifts where it has its own mean and variance.

    Args:
        builder: The program.
        row: What is normalised.
        weight: ``[width]`` scales, or ``None``.
        bias: ``[width]`` shifts, or ``None``.
        statistics: Its running mean and variance; ``None`` where it takes those of the graph.
        eps: Added to the variance.
    """
    if statistics is None:
        share = np.ones(row.width, np.float32)
        made = StandardizeColumns(inputs=(row.value,), eps=float(eps), mean_share=share)
        return affine(builder, builder.add(made, row.width), weight, bias)
    mean, variance = (tensor.detach().double() for tensor in statistics)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight.detach().double()
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias.detach().double()
    return affine(builder, row, scale, shift)


def layer_norm(
    builder: Builder, row: Row, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Row:
    """A norm of each row by itself."""
    made = builder.add(StandardizeRows(inputs=(row.value,), eps=float(eps)), row.width)
    return affine(builder, made, weight, bias)


def _graph_norm(builder: Builder, module: Any, row: Row) -> Row:
    share = array(module.mean_scale)
    made = StandardizeColumns(inputs=(row.value,), eps=float(module.eps), mean_share=share)
    return affine(builder, builder.add(made, row.width), module.weight, module.bias)


def _instance_norm(builder: Builder, module: Any, row: Row) -> Row:
    own = module.track_running_stats and module.running_mean is not None
    statistics = (module.running_mean, module.running_var) if own else None
    return batch_norm(builder, row, module.weight, module.bias, statistics, module.eps)


def _layer_norm(builder: Builder, module: Any, row: Row) -> Row:
    if module.mode == "node":
        return layer_norm(builder, row, module.weight, module.bias, module.eps)
    made = builder.add(StandardizeAll(inputs=(row.value,), eps=float(module.eps)), row.width)
    return affine(builder, made, module.weight, module.bias)


def _pair_norm(builder: Builder, module: Any, row: Row) -> Row:
    scale, eps = float(module.scale), float(module.eps)
    if not module.scale_individually:
        return builder.add(PairNorm(inputs=(row.value,), eps=eps, scale=scale), row.width)
    centered = builder.add(CenterColumns(inputs=(row.value,)), row.width)
    unit = NormalizeRows(inputs=(centered.value,), eps=eps, added=True)
    made = builder.add(unit, row.width)
    return builder.add(Scale(inputs=(made.value,), factor=scale), row.width)


def _mean_subtraction(builder: Builder, module: Any, row: Row) -> Row:  # noqa: ARG001
    return builder.add(CenterColumns(inputs=(row.value,)), row.width)


def _diff_group_norm(builder: Builder, module: Any, row: Row) -> Row:
    """``x + lambda sum_g norm_g(s_g x)``, ``s`` the softmax of a projection to groups.

    Each group's batch norm scales and shifts, so the sum is ``x (s A) + b``.
    """
    inner = module.norm
    if inner.running_mean is None:
        raise UnpackableError("it takes its statistics from the graph (track_running_stats=False)")
    groups, width = module.groups, row.width
    scale = (inner.running_var.double() + inner.eps).rsqrt()
    if inner.weight is not None:
        scale = scale * inner.weight.detach().double()
    shift = -inner.running_mean.double() * scale
    if inner.bias is not None:
        shift = shift + inner.bias.detach().double()
    factor = float(module.lamda)
    gains = factor * scale.view(groups, width)
    scores = _project(builder, row, module.lin.weight.t(), torch.zeros(groups))
    shares = builder.add(SoftmaxRows(inputs=(scores.value,)), groups)
    # The residual is a gain of 1 more.
    mixed = _project(builder, shares, gains, torch.ones(width))
    scaled = builder.add(Multiply(inputs=(row.value, mixed.value)), width)
    return affine(builder, scaled, None, factor * shift.view(groups, width).sum(0))


def _project(builder: Builder, row: Row, weight: Tensor, bias: Tensor) -> Row:
    out = bias.numel()
    made = Project(inputs=(row.value,), out=out, weight=array(weight), bias=array(bias))
    return builder.add(made, out)


# What is recorded as one call, whatever it does inside. PyG's BatchNorm is torch's.
NORMS: Mapping[type[nn.Module], Lowered] = {
    norm.GraphNorm: _graph_norm,
    norm.InstanceNorm: _instance_norm,
    norm.LayerNorm: _layer_norm,
    norm.PairNorm: _pair_norm,
    norm.MeanSubtractionNorm: _mean_subtraction,
    norm.DiffGroupNorm: _diff_group_norm,
}


def lower_norm(builder: Builder, module: nn.Module, args: tuple[Any, ...], keywords: Any) -> Row:
    """The operations of a recorded norm.

    Raises:
        UnpackableError: If it is called with a batch of graphs, or the runtime has no such norm.
    """
    if any(value is not None for value in [*args[1:], *keywords.values()]):
        raise UnpackableError("it is given more than one embedding (batch)")
    return NORMS[type(module)](builder, module, builder.row(args[0]))
