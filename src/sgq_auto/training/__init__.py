"""Training: one loop for pre-training and for quantization-aware fine-tuning."""

from sgq_auto.training.fit import (
    DivergedError,
    FitResult,
    FitSettings,
    evaluate,
    fit,
    predict,
)
from sgq_auto.training.pretrain import ModelBuilder, Pretrained, pretrain

__all__ = [
    "DivergedError",
    "FitResult",
    "FitSettings",
    "ModelBuilder",
    "Pretrained",
    "evaluate",
    "fit",
    "predict",
    "pretrain",
]
