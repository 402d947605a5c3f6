"""Training: one loop for pre-training and for quantization-aware fine-tuning."""

from sgq_auto.settings.fit_settings import FitSettings, Keep, Schedule
from sgq_auto.training.fit_loop import (
    DivergedError,
    FitResult,
    Stopper,
    evaluate,
    fit,
    own_dropout,
    predict,
    training_dropout,
)
from sgq_auto.training.graph_batches import steps_of_epoch
from sgq_auto.training.losses import agreement, said
from sgq_auto.training.metrics import resampled_scores, score
from sgq_auto.training.pretrain import ModelBuilder, Pretrained, pretrain, weights_path
from sgq_auto.training.trained_weights import load_weights, weights_hash

__all__ = [
    "DivergedError",
    "FitResult",
    "FitSettings",
    "Keep",
    "ModelBuilder",
    "Pretrained",
    "Schedule",
    "Stopper",
    "agreement",
    "evaluate",
    "fit",
    "load_weights",
    "own_dropout",
    "predict",
    "pretrain",
    "resampled_scores",
    "said",
    "score",
    "steps_of_epoch",
    "training_dropout",
    "weights_hash",
    "weights_path",
]
