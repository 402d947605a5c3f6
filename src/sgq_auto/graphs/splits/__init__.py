"""Which nodes or graphs train, validate and are tested."""

from sgq_auto.graphs.splits.split_choices import OwnOrPerClassSplit, PerClassSplit, PublicSplit

__all__ = ["OwnOrPerClassSplit", "PerClassSplit", "PublicSplit"]
