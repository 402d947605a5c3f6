"""How a model is trained, at full precision or at chosen bits."""

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sgq_auto.errors import InputError


class Schedule(StrEnum):
    """How step sizes change over the epochs."""

    CONSTANT = "constant"
    COSINE = "cosine"

    def factor(self, progress: float) -> float:
        """The factor on every step size after a share ``progress`` of the epochs."""
        return 1.0 if self is Schedule.CONSTANT else 0.5 * (1 + math.cos(math.pi * progress))


class Keep(StrEnum):
    """Which evaluated epoch a training run ends with."""

    BEST = "best"
    LAST = "last"


class ClassWeights(StrEnum):
    """How training labels of rare and frequent classes count."""

    NONE = "none"
    BALANCED = "balanced"


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast to train.

    Attributes:
        epochs: Passes over all that trains.
        learning_rate: Adam's step size for weights.
        weight_decay: L2 factor for weights.
        range_learning_rate: Adam's step size for learned ranges.
        evaluate_every: Epochs between two looks at the validation nodes.
        schedule: How step sizes change; a cosine ends in small steps, so that codes settle.
        keep: The epoch to end with: that of the lowest validation loss, or the last. Neither looks
            for the highest accuracy: the best of many looks at few nodes is a lucky draw, and what
            is compared with it seems to lose accuracy that was never there.
        distillation: Share of the loss that is cross-entropy with a teacher's predictions on all
            nodes; the rest is cross-entropy with the training labels.
        teacher_temperature: Temperature of the teacher's probabilities of classes; below 1 they are
            sharpened, towards its plain decisions. Models that few labels and much weight decay
            made are far less sure than they are right, and what few bits can tell is better spent
            on which class it is than on how likely.
        class_weights: Whether each class counts the same in the loss by training labels, however
            rare it is; of several labels, having each one and not having it.
        dropout: Dropout probability of every layer that drops, or ``None`` for the model's own;
            where numbers are distilled, ``None`` is 0.
        batch_graphs: Most graphs of a batch where there are several graphs; each is a step of an
            epoch. ``None`` for 128 where whole graphs are predicted, else for one step with all of
            them; one graph is never cut.
        patience: Epochs without a lower validation loss after which training ends, or ``None`` for
            all epochs. It changes nothing where the last epoch is kept.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    range_learning_rate: float = 0.01
    evaluate_every: int = 1
    schedule: Schedule = Schedule.CONSTANT
    keep: Keep = Keep.BEST
    distillation: float = 0.0
    teacher_temperature: float = 1.0
    dropout: float | None = None
    batch_graphs: int | None = None
    class_weights: ClassWeights = ClassWeights.NONE
    patience: int | None = None

    @property
    def key(self) -> dict[str, Any]:
        """The values that identify what is trained, by name.

        A value that came later is not among them where it changes nothing, so that what was trained
        before is found.
        """
        values = asdict(self)
        if self.class_weights is ClassWeights.NONE:
            del values["class_weights"]
        for name in ("batch_graphs", "patience"):
            if values[name] is None:
                del values[name]
        return values

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("epochs", "evaluate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: it must be at least 1")
        for name in ("batch_graphs", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: it must be at least 1")
        for name in ("learning_rate", "range_learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)}: it must be above 0")
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay={self.weight_decay}: it must be 0 or more")
        if not 0 <= self.distillation <= 1:
            raise InputError(f"distillation={self.distillation}: it must lie in 0 to 1")
        if not 0.01 <= self.teacher_temperature <= 100:
            raise InputError(
                f"teacher_temperature={self.teacher_temperature}: it must lie in 0.01 to 100"
            )
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout}: it must be 0 or more, and less than 1")
