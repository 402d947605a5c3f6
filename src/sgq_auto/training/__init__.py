"""Training: one loop for pre-training and for quantization-aware fine-tuning."""

from sgq_auto.training.fit import (
    DivergedError,
    FitResult,
    FitSettings,
    Keep,
    Schedule,
    Stopper,
    evaluate,
    fit,
    own_dropout,
    predict,
)
from sgq_auto.training.pretrain import ModelBuilder, Pretrained, pretrain, weights_path

__all__ = [
    "DivergedError",
    "FitResult",
    "FitSettings",
    "Keep",
    "ModelBuilder",
    "Pretrained",
    "Schedule",
    "Stopper",
    "evaluate",
    "fit",
    "own_dropout",
    "predict",
    "pretrain",
    "weights_path",
]
