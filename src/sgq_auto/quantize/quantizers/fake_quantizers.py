"""Fake-quantizers: tensors rounded to what their codes can say, with gradients passed through.

A tensor's first dimension is cut into scale groups: the degree buckets of an embedding or of
attention, the output channels of a weight. Each group has bits, a step and an offset of its own:
``code = round((x - offset) / step)`` clamped to ``0 .. 2**bits - 1``, and
``x' = code * step + offset``.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.compute import Engine, engine_for
from sgq_auto.compute.scale_groups import ScaleGroups
from sgq_auto.compute.torch_engine import group_sizes, spread_groups
from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.quantize.quantizers.ranges import (
    RangeFinder,
    from_nearest,
    minmax_range,
    range_finder,
    representatives,
    step_size,
)
from sgq_auto.settings.root_settings import RangeMode

_CPU = engine_for("cpu")

Sizes = Sequence[int] | Callable[[], ScaleGroups]


class FakeQuantizer(nn.Module):
    """What every fake-quantizer shares: its scale groups and the affine rounding.

    Args:
        bits: Bits of each scale group; 32 leaves a group as it is.
        sizes: Rows of each scale group; or what tells the groups, where they are those of the
            graph that the model runs on.
        find_range: Finds the range of codes from values.
        engine: Does the rounding.
    """

    step: Tensor
    offset: Tensor
    levels: Tensor
    ends: Tensor | None
    full: Tensor | None

    def __init__(
        self, bits: Sequence[int], sizes: Sizes, find_range: RangeFinder, engine: Engine
    ) -> None:
        super().__init__()
        self.bits = tuple(bits)
        self._groups_of = sizes if callable(sizes) else None
        given = [] if callable(sizes) else list(sizes)
        self.group_is_row = set(given) == {1}
        self.find_range = find_range
        self.engine = engine
        self.register_buffer("step", torch.ones(len(bits)))
        self.register_buffer("offset", torch.zeros(len(bits)))
        self.register_buffer("levels", torch.tensor([float(2**b - 1) for b in bits]))
        ends = None if callable(sizes) else torch.tensor(given).cumsum(0)
        self.register_buffer("ends", ends, persistent=False)
        self._rows = sum(given)
        full = torch.tensor([b == FULL_PRECISION for b in bits])
        self.register_buffer("full", full if bool(full.any()) else None, persistent=False)

    @property
    def groups(self) -> ScaleGroups:
        """Its scale groups, on the graph that the model runs on."""
        if self._groups_of is not None:
            return self._groups_of()
        assert self.ends is not None
        return ScaleGroups(self.ends, None, self._rows)

    def ranges(self) -> tuple[Tensor, Tensor]:
        """Step and offset of every group as the forward pass uses them, fp32 ``[groups]``."""
        return self.step, self.offset

    def observe(self, x: Tensor) -> None:
        """Set the ranges from ``x``, group by group."""
        if self.group_is_row:
            with torch.no_grad():
                self._set_range(*self.find_range(x.reshape(x.size(0), -1), self.levels))
        else:
            self.observe_parts([(0, x)])

    def observe_parts(self, parts: Iterable[tuple[int, Tensor]]) -> None:
        """Set the ranges from a tensor that comes in parts: first row and rows of each."""
        seen: list[list[Tensor]] = [[] for _ in range(self.levels.numel())]
        with torch.no_grad():
            for start, part in parts:
                rows, ends, _ = self._by_group(part, start)
                sizes = group_sizes(ends).tolist()
                for group, values in zip(seen, rows.split(sizes), strict=True):
                    if values.numel():
                        group.append(representatives(values))
            found = [
                self.find_range(torch.cat(group).view(1, -1), level) if group else None
                for group, level in zip(seen, self.levels.split(1), strict=True)
            ]
            nothing = self.levels.new_zeros(1), self.levels.new_zeros(1)
            found = from_nearest(found) if self.groups.shared else found
            ranges = [each or nothing for each in found]
            self._set_range(*(torch.cat(ends) for ends in zip(*ranges, strict=True)))

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Fake-quantize ``x``: the whole tensor, or its rows from ``start`` on."""
        rows, ends, order = self._by_group(x, start)
        out = self.round(rows, ends)
        if self.full is not None:
            out = torch.where(spread_groups(self.full, ends, rows), rows, out)
        return out if order is None else torch.empty_like(out).index_copy(0, order, out)

    def round(self, x: Tensor, ends: Tensor) -> Tensor:
        """Fake-quantize rows whose group ``g`` ends at ``ends[g]``, at any bits."""
        out: Tensor = _Round.apply(x, self.step, self.offset, ends, self)
        return out

    def exact(self, x: Tensor) -> Tensor:
        """Fake-quantize fp64 ``[rows]`` by the ranges there are, as the packed runtime does.

        Values of many edges lie next to the border of two codes, where fp32 finds the other one.
        """
        rows, ends, order = self._by_group(x, 0)
        groups = (t.double() for t in (self.step, self.offset, self.levels))
        step, offset, levels = (spread_groups(t, ends, rows) for t in groups)
        codes = ((rows - offset) / step).round_().clamp_(min=0).minimum(levels)
        out = codes * step + offset
        if self.full is not None:
            held = rows.float().double()
            out = torch.where(spread_groups(self.full, ends, rows), held, out)
        return out if order is None else torch.empty_like(out).index_copy(0, order, out)

    def _by_group(self, x: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """The rows of ``x``, rows from ``start`` on of a whole, sorted by scale group.

        Returns:
            The sorted rows, where each group ends among them, and their places in ``x`` (``None``
            where they were sorted).
        """
        groups = self.groups
        order, ends = groups.order, groups.ends
        whole = start == 0 and x.size(0) == groups.rows
        if order is None:
            return x, ends if whole else (ends - start).clamp(0, x.size(0)), None
        if not whole:
            inside = (order >= start) & (order < start + x.size(0))
            order = order[inside] - start
            ends = nn.functional.pad(inside.cumsum(0), (1, 0))[ends]
        return x.index_select(0, order), ends, order

    def _set_range(self, low: Tensor, high: Tensor) -> None:
        self.step.copy_(step_size(low, high, self.levels))
        self.offset.copy_(low)


class TrainedQuantizer(FakeQuantizer):
    """A fake-quantizer of a tensor that changes while a model trains."""

    @property
    @abstractmethod
    def wants_to_observe(self) -> bool:
        """Whether the next forward pass sets the ranges from its input."""

    def forward(self, x: Tensor, start: int | None = None) -> Tensor:
        """Fake-quantize the whole ``x``, or by the ranges there are its rows from ``start`` on."""
        if start is None and self.wants_to_observe:
            self.observe(x)
        return super().forward(x, start or 0)


class MinMaxQuantizer(TrainedQuantizer):
    """Ranges follow the tensor's smallest and largest value until they are frozen (the paper's)."""

    def __init__(self, bits: Sequence[int], sizes: Sizes, engine: Engine = _CPU) -> None:
        super().__init__(bits, sizes, minmax_range, engine)
        self.frozen = False

    @property
    def wants_to_observe(self) -> bool:
        """Every forward pass until the range is frozen, as the tensor still changes."""
        return not self.frozen


class LearnedQuantizer(TrainedQuantizer):
    """Step and offset are learned with the weights (LSQ+, Bhalgat et al. 2020).

    Both start where the squared error is least, and are learned relative to the first step (the
    step through its logarithm), so that one learning rate fits tensors of any scale.
    """

    def __init__(self, bits: Sequence[int], sizes: Sizes, engine: Engine = _CPU) -> None:
        super().__init__(bits, sizes, range_finder(RangeMode.LEARNED), engine)
        self.log_step = nn.Parameter(torch.zeros(len(bits)))
        self.shift = nn.Parameter(torch.zeros(len(bits)))
        self.calibrated = False

    @property
    def wants_to_observe(self) -> bool:
        """Only the first forward pass, which sets where learning starts."""
        return not self.calibrated

    def ranges(self) -> tuple[Tensor, Tensor]:
        """Step and offset of each scale group, from the parameters that learn them."""
        return _learned_ranges(self.log_step, self.shift, self)

    def round(self, x: Tensor, ends: Tensor) -> Tensor:
        """Fake-quantize; gradients reach the values, the steps and the offsets."""
        out: Tensor = _LearnedRound.apply(x, self.log_step, self.shift, ends, self)
        return out

    def _set_range(self, low: Tensor, high: Tensor) -> None:
        super()._set_range(low, high)
        self.calibrated = True


class ConstantQuantizer(FakeQuantizer):
    """For a tensor that never changes (features, GCN's adjacency): quantized by its own range.

    The first tensor that it sees sets the ranges, for the same of other graphs too.
    """

    def __init__(
        self, bits: Sequence[int], sizes: Sizes, mode: RangeMode, engine: Engine = _CPU
    ) -> None:
        super().__init__(bits, sizes, range_finder(mode), engine)
        self.observed = False

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """The fake-quantized tensor; its ranges are set from the first one.

        fp64 values are rounded in fp64, as :meth:`exact` does.
        """
        if not self.observed:
            self.observe(x.float() if x.dtype is torch.float64 else x)
            self.observed = True
        if x.dtype is torch.float64:
            return self.exact(x)
        with torch.no_grad():
            return super().forward(x, start)


def freeze_ranges(model: nn.Module) -> None:
    """Keep every range of ``model`` as it is from now on."""
    for module in model.modules():
        if isinstance(module, MinMaxQuantizer):
            module.frozen = True


class _Round(torch.autograd.Function):
    """Affine rounding with the straight-through estimator."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, step: Tensor, offset: Tensor, ends: Tensor, quantizer: FakeQuantizer
    ) -> Tensor:
        ctx.save_for_backward(x)
        # Constants while the step lasts: saving them as tensors would cost more than their use.
        ctx.engine, ctx.groups = quantizer.engine, (ends, step, offset, quantizer.levels)
        out: Tensor = ctx.engine.round_to_codes(x, *ctx.groups)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (x,) = ctx.saved_tensors
        grad_x, _, _ = ctx.engine.round_to_codes_backward(x, *ctx.groups, grad)
        return grad_x, None, None, None, None


def _learned_ranges(log_step: Tensor, shift: Tensor, first: FakeQuantizer) -> tuple[Tensor, Tensor]:
    """Steps and offsets that are learned relative to first ones."""
    step = log_step.exp().mul_(first.step)
    return step, torch.addcmul(first.offset, first.step, shift)


class _LearnedRound(torch.autograd.Function):
    """Affine rounding with LSQ+'s gradients of a range that is learned relative to a first one."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, log_step: Tensor, shift: Tensor, ends: Tensor, quantizer: Any
    ) -> Tensor:
        ctx.save_for_backward(x)
        step, offset = _learned_ranges(log_step, shift, quantizer)
        ctx.engine, ctx.groups = quantizer.engine, (ends, step, offset, quantizer.levels)
        ctx.first_step = quantizer.step
        out: Tensor = ctx.engine.round_to_codes(x, *ctx.groups)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        (x,) = ctx.saved_tensors
        backward = ctx.engine.round_to_codes_backward
        grad_x, grad_step, grad_offset = backward(x, *ctx.groups, grad)
        # The chain rule of step = first_step * exp(log_step), offset = ... + first_step * shift.
        grad_log_step, grad_shift = grad_step.mul_(ctx.groups[1]), grad_offset.mul_(ctx.first_step)
        return grad_x, grad_log_step, grad_shift, None, None
