"""Fake-quantizers: tensors rounded to what their codes can say, with gradients passed through.

A tensor's first dimension is cut into scale groups: the degree buckets of an embedding or of
attention, the output channels of a weight. Each group has bits, a step and an offset of its own:
``code = round((x - offset) / step)`` clamped to ``0 .. 2**bits - 1``, and
``x' = code * step + offset``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.allocation import FULL_PRECISION
from sgq_auto.quantize.ranges import RangeFinder, RangeMode, minmax_range, range_finder, step_size


class FakeQuantizer(nn.Module):
    """What every fake-quantizer shares: its scale groups and the affine rounding.

    Args:
        bits: Bits of each scale group; 32 leaves a group as it is.
        sizes: Rows of each scale group.
        find_range: Finds the range of codes from values.
    """

    step: Tensor
    offset: Tensor
    levels: Tensor
    sizes: Tensor
    full: Tensor | None

    def __init__(self, bits: Sequence[int], sizes: Sequence[int], find_range: RangeFinder) -> None:
        super().__init__()
        self.group_sizes = list(sizes)
        self.group_is_row = all(size == 1 for size in self.group_sizes)
        self.find_range = find_range
        self.register_buffer("step", torch.ones(len(bits)))
        self.register_buffer("offset", torch.zeros(len(bits)))
        self.register_buffer("levels", torch.tensor([float(2**b - 1) for b in bits]))
        self.register_buffer("sizes", torch.tensor(self.group_sizes), persistent=False)
        full = torch.tensor([b == FULL_PRECISION for b in bits])
        self.register_buffer("full", full if bool(full.any()) else None, persistent=False)

    def observe(self, x: Tensor) -> None:
        """Set the ranges from ``x``, group by group."""
        with torch.no_grad():
            if self.group_is_row:
                low, high = self.find_range(x.reshape(x.size(0), -1), self.levels)
            else:
                ends = [
                    self._group_range(part, self.levels[g : g + 1])
                    for g, part in enumerate(x.split(self.group_sizes))
                ]
                low, high = (torch.cat(end) for end in zip(*ends, strict=True))
            self.step.copy_(step_size(low, high, self.levels))
            self.offset.copy_(low)

    def round_to_codes(self, x: Tensor, step: Tensor, offset: Tensor) -> Tensor:
        """Fake-quantize ``x`` with the given ``[groups]`` steps and offsets."""
        out: Tensor = _FakeQuantize.apply(x, step, offset, self)
        return out if self.full is None else torch.where(self.expand(self.full, x), x, out)

    def expand(self, per_group: Tensor, x: Tensor) -> Tensor:
        """Spread ``[groups]`` numbers over the rows of ``x``, ready to broadcast."""
        if per_group.numel() == 1:
            return per_group.view([1] * x.dim())
        if not self.group_is_row:
            per_group = per_group.repeat_interleave(self.sizes, output_size=x.size(0))
        return per_group.view(-1, *[1] * (x.dim() - 1))

    def sum_groups(self, x: Tensor) -> Tensor:
        """Sum ``x`` over everything but its scale groups: ``[groups]``."""
        by_row = x.flatten(1).sum(dim=1) if x.dim() > 1 else x
        if self.group_is_row:
            return by_row
        return torch.stack([part.sum() for part in by_row.split(self.group_sizes)])

    def _group_range(self, part: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        if part.numel() == 0:
            return levels.new_zeros(1), levels.new_zeros(1)
        return self.find_range(part.reshape(1, -1), levels)


class MinMaxQuantizer(FakeQuantizer):
    """Ranges follow the tensor's smallest and largest value until they are frozen (the paper's)."""

    def __init__(self, bits: Sequence[int], sizes: Sequence[int]) -> None:
        super().__init__(bits, sizes, minmax_range)
        self.frozen = False

    def forward(self, x: Tensor) -> Tensor:
        """Fake-quantize ``x``."""
        if not self.frozen:
            self.observe(x)
        return self.round_to_codes(x, self.step, self.offset)


class LearnedQuantizer(FakeQuantizer):
    """Step and offset are learned with the weights (LSQ+, Bhalgat et al. 2020).

    Both start where the squared error is least, and are learned relative to the first step (the
    step through its logarithm), so that one learning rate fits tensors of any scale.
    """

    def __init__(self, bits: Sequence[int], sizes: Sequence[int]) -> None:
        super().__init__(bits, sizes, range_finder(RangeMode.LEARNED))
        self.log_step = nn.Parameter(torch.zeros(len(bits)))
        self.shift = nn.Parameter(torch.zeros(len(bits)))
        self.calibrated = False

    def forward(self, x: Tensor) -> Tensor:
        """Fake-quantize ``x``; the first call sets where learning starts."""
        if not self.calibrated:
            self.observe(x)
            self.calibrated = True
        step = self.step * self.log_step.exp()
        return self.round_to_codes(x, step, self.offset + self.step * self.shift)


class ConstantQuantizer(FakeQuantizer):
    """For a tensor that never changes (features, GCN's adjacency): quantized once, then kept."""

    def __init__(self, bits: Sequence[int], sizes: Sequence[int], mode: RangeMode) -> None:
        super().__init__(bits, sizes, range_finder(mode))
        self._quantized: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The fake-quantized tensor, of the ``x`` of the first call."""
        if self._quantized is None:
            self.observe(x)
            with torch.no_grad():
                self._quantized = self.round_to_codes(x, self.step, self.offset)
        return self._quantized


def freeze_ranges(model: nn.Module) -> None:
    """Keep every range of ``model`` as it is from now on."""
    for module in model.modules():
        if isinstance(module, MinMaxQuantizer):
            module.frozen = True


class _FakeQuantize(torch.autograd.Function):
    """Affine rounding with the straight-through estimator, and LSQ+'s gradients of the range."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, offset: Tensor, groups: FakeQuantizer) -> Tensor:
        steps, offsets = groups.expand(step, x), groups.expand(offset, x)
        levels = groups.expand(groups.levels, x)
        scaled = (x - offsets).div_(steps)
        codes = scaled.round().clamp_(min=0).minimum(levels)
        ctx.groups = groups
        ctx.learns_range = step.requires_grad
        ctx.save_for_backward(scaled, codes, levels)
        return (codes * steps).add_(offsets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        scaled, codes, levels = ctx.saved_tensors
        inside = (scaled >= 0).logical_and_(scaled <= levels)
        grad_x = grad * inside
        if not ctx.learns_range:
            return grad_x, None, None, None
        # Inside the range a larger step moves the value by the rounding error, outside by the code.
        grad_step = ctx.groups.sum_groups((codes - scaled * inside).mul_(grad))
        grad_offset = ctx.groups.sum_groups(grad - grad_x)
        return grad_x, grad_step, grad_offset, None
