"""The units of numbers to predict: their mean and spread over the training labels."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class TargetScale:
    """What turns a model's outputs into the units of the labels: ``output * std + mean``.

    A model that is trained here learns numbers of mean 0 and spread 1, whatever their units.

    Attributes:
        mean: Of each target over the training labels.
        std: Their standard deviation, above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, labels: Tensor) -> Self:
        """Of training labels ``float32 [n, T]``; a target that never changes keeps its units."""
        mean, std = labels.double().mean(dim=0), labels.double().std(dim=0, unbiased=False)
        # As fp32, which the packed runtime reckons with.
        values = [[float(value) for value in each.float()] for each in (mean, std)]
        return cls(tuple(values[0]), tuple(value if value > 0 else 1.0 for value in values[1]))

    def in_units(self, outputs: Tensor) -> Tensor:
        """Outputs ``[N, T]`` in the units of the labels."""
        return outputs * self._tensor(self.std, outputs) + self._tensor(self.mean, outputs)

    def standardised(self, numbers: Tensor) -> Tensor:
        """Numbers ``[N, T]`` in the units of the labels as mean 0 and spread 1."""
        return (numbers - self._tensor(self.mean, numbers)) / self._tensor(self.std, numbers)

    def fault(self, num_targets: int) -> str | None:
        """What is wrong with a scale that a file holds, or ``None``."""
        for values in (self.mean, self.std):
            finite = all(type(v) in (int, float) and math.isfinite(v) for v in values)
            if len(values) != num_targets or not finite:
                return f"target_scale must have {num_targets} finite numbers for each"
        return None if min(self.std) > 0 else "target_scale: std must be above 0"

    @staticmethod
    def _tensor(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device)
