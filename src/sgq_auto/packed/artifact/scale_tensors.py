"""The scales that an artifact holds: those of codes, and what columns of features are scaled by."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling
from sgq_auto.packed.sizes.shape_specs import FeatureSpec

_MEAN, _FACTOR = "features.mean", "features.factor"


def scaled_groups(bits: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    """The groups that have a scale: those that hold something and are quantized.

    Args:
        bits: Bits of each group.
        counts: How much each group holds.
    """
    both = enumerate(zip(bits, counts, strict=True))
    return tuple(g for g, (width, n) in both if n and width != FULL_PRECISION)


def scales_of(ranges: Ranges, counts: tuple[int, ...]) -> Array:
    """Step and offset of each group that has a scale, fp32 ``[groups, 2]``."""
    groups = list(scaled_groups(ranges.bits, counts))
    stacked: Array = np.stack([ranges.step[groups], ranges.offset[groups]], axis=1)
    return stacked.astype(np.float32)


def checked_ranges(
    name: str,
    runs: Sequence[tuple[int, ...]],
    bits: Sequence[tuple[int, ...]],
    tensors: Mapping[str, Array],
) -> Iterator[Ranges]:
    """The ranges of runs of scale groups, which one tensor holds one after the other.

    Args:
        name: What the tensor belongs to: a layer, a skip connection or the node features.
        runs: For each run, the groups that have a scale.
        bits: For each run, the bits of all its groups.
        tensors: What the artifact holds.

    Raises:
        ArtifactError: If a step is not above 0, or a range ends beyond fp32.
    """
    scales = tensors.get(f"{name}.scales", np.empty((0, 2), np.float32))
    if scales.size and not (scales[:, 0] > 0).all():
        raise ArtifactError(f"tensor {name}.scales holds a step that is not above 0")
    start = 0
    for groups, widths in zip(runs, bits, strict=True):
        ranges = _ranges(widths, groups, scales[start : start + len(groups)])
        tops = ranges.offset + ranges.step * (2.0 ** np.array(widths) - 1)
        if (tops > np.finfo(np.float32).max).any():
            raise ArtifactError(f"tensor {name}.scales holds a range that ends beyond fp32")
        yield ranges
        start += len(groups)


def scaling_tensors(scaling: FeatureScaling | None) -> dict[str, Array]:
    """The tensors; none without scaling."""
    if scaling is None:
        return {}
    return {
        _MEAN: np.array(scaling.mean, np.float32),
        _FACTOR: np.array(scaling.factor, np.float32),
    }


def scaling_shapes(spec: FeatureSpec) -> dict[str, tuple[int, ...]]:
    """Their shapes, which a header with these features claims."""
    shape = (spec.num_features,)
    return {_MEAN: shape, _FACTOR: shape} if spec.scaled else {}


def scaling_from(spec: FeatureSpec, tensors: Mapping[str, Array]) -> FeatureScaling | None:
    """The scaling of finite tensors of these shapes.

    Raises:
        ArtifactError: If a factor is not above 0.
    """
    if not spec.scaled:
        return None
    if not (tensors[_FACTOR] > 0).all():
        raise ArtifactError(f"tensor {_FACTOR} holds numbers that are not above 0")
    return FeatureScaling.of_arrays(tensors[_MEAN], tensors[_FACTOR])


def _ranges(bits: tuple[int, ...], groups: tuple[int, ...], scales: Array) -> Ranges:
    """Ranges of all groups; one that holds nothing here takes over the nearest one's."""
    if not groups:
        return Ranges(bits, np.ones(len(bits), np.float32), np.zeros(len(bits), np.float32))
    widths, held, index = np.array(bits), np.array(groups), np.arange(len(bits))
    after = np.minimum(np.searchsorted(held, index), held.size - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(index - held[before] <= held[after] - index, before, after)
    levels = 2.0**widths - 1
    step = scales[nearest, 0] * (levels[held[nearest]] / levels).astype(np.float32)
    # Neither 0 nor infinite, however much wider or narrower the nearest one's codes are.
    step = np.clip(step, np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max)
    full = widths == FULL_PRECISION
    step, offset = np.where(full, 1, step), np.where(full, 0, scales[nearest, 1])
    return Ranges(bits, step.astype(np.float32), offset.astype(np.float32))
