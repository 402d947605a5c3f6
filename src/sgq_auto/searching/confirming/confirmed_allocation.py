"""What the confirm stage knows of an allocation: over its seeds, and of the one model to ship."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sgq_auto.searching.confirming.confirm_rows import ConfirmRow
from sgq_auto.searching.confirming.drop_estimate import BIASES, Biases
from sgq_auto.searching.confirming.observed_drop import estimated, estimated_of_bits
from sgq_auto.searching.settings.promise_settings import Promise
from sgq_auto.task import Metric


@dataclass(frozen=True)
class Shipped:
    """The one model of an allocation that becomes its artifact: that of the lowest estimated drop.

    All drops are from full precision, the mean of the fresh seeds, in percentage points.

    Attributes:
        seed: Its fresh seed.
        val_accuracy: Its validation accuracy, 0..1.
        estimated_drop: Its drop on unseen nodes, as far as it is known without their labels.
        drop_at_most: What it does not lose more than, with the confidence that is asked for.
        drop_low: Lower end of the interval that has its drop with that confidence.
        drop_high: Upper end of that interval.
        probability: Probability that its drop is within the allowed one, 0..1.
        test_accuracy: Its test accuracy, 0..1.
        test_accuracy_drop: Its drop on test nodes; it had no part in the choice.
    """

    seed: int
    val_accuracy: float
    estimated_drop: float
    drop_at_most: float
    drop_low: float
    drop_high: float
    probability: float
    test_accuracy: float
    test_accuracy_drop: float


@dataclass(frozen=True)
class Confirmed:
    """Accuracy of one allocation (or of full precision) over the fresh seeds, paired.

    Attributes:
        seeds: Number of seeds.
        val_accuracy: Mean validation accuracy.
        val_drop: Mean paired drop from full precision on validation nodes, percentage points.
        estimated_drop: Mean drop on unseen nodes as far as it is known without test labels, see
            :mod:`sgq_auto.searching.confirming.drop_estimate`.
        test_accuracy: Mean test accuracy.
        test_accuracy_std: Standard deviation of the test accuracy over seeds.
        test_accuracy_drop: Mean paired drop on test nodes, percentage points.
        test_accuracy_drop_std: Standard deviation of that drop over seeds.
        distilled_estimated_drop: As ``estimated_drop``, from full precision that was distilled
            from the same teachers: what bits cost, apart from what teaching pays. ``None`` where
            that diverged.
        distilled_test_accuracy_drop: Mean paired drop from it on test nodes, percentage points.
        shipped: The model that becomes the artifact; ``None`` for full precision.
    """

    seeds: int
    val_accuracy: float
    val_drop: float
    estimated_drop: float
    test_accuracy: float
    test_accuracy_std: float
    test_accuracy_drop: float
    test_accuracy_drop_std: float
    distilled_estimated_drop: float | None
    distilled_test_accuracy_drop: float | None
    shipped: Shipped | None = None

    @classmethod
    def of(
        cls,
        full: Sequence[ConfirmRow],
        distilled: Sequence[ConfirmRow] | None,
        own: Sequence[ConfirmRow],
        promise: Promise,
        metric: Metric = Metric.ACCURACY,
    ) -> Self:
        """From the rows of full precision, of its distilled twin and of the allocation.

        Args:
            full: A row for each seed.
            distilled: The same of the distilled twin; ``None`` if it diverged.
            own: The same of the allocation, or of one of the two.
            promise: What is asked of an artifact.
            metric: What takes the place of accuracy.
        """
        paired = zip(full, own, strict=True)
        drops = [metric.drop(f.test_accuracy, q.test_accuracy) for f, q in paired]
        tests = [row.test_accuracy for row in own]
        of_bits = lost_to_bits = None
        if distilled:
            of_bits = estimated_of_bits([row.evidence for row in own]).mean
            twins = statistics.fmean(row.test_accuracy for row in distilled)
            lost_to_bits = metric.drop(twins, statistics.fmean(tests))
        vals = statistics.fmean(row.val_accuracy for row in own)
        has_bits = all(row.params is not None for row in own)
        return cls(
            seeds=len(own),
            val_accuracy=vals,
            val_drop=metric.drop(statistics.fmean(row.val_accuracy for row in full), vals),
            estimated_drop=estimated([row.evidence for row in own]).mean,
            test_accuracy=statistics.fmean(tests),
            test_accuracy_std=_std(tests),
            test_accuracy_drop=statistics.fmean(drops),
            test_accuracy_drop_std=_std(drops),
            distilled_estimated_drop=of_bits,
            distilled_test_accuracy_drop=lost_to_bits,
            shipped=shipped_of(full, own, promise, metric=metric) if has_bits else None,
        )


def holds(confirmed: Confirmed, promise: Promise) -> bool:
    """Whether the model that would be shipped keeps a promise, as far as that can be known."""
    shipped = confirmed.shipped
    return shipped is not None and promise.allows(shipped.drop_at_most)


def shipped_row(rows: Sequence[ConfirmRow], biases: Biases = BIASES) -> ConfirmRow:
    """Of models that differ in their seed alone, the one of the lowest estimated drop.

    Test labels have no part in the choice.
    """
    return min(rows, key=lambda row: (estimated([row.evidence], biases).mean, row.seed))


def shipped_of(
    full: Sequence[ConfirmRow],
    own: Sequence[ConfirmRow],
    promise: Promise,
    biases: Biases = BIASES,
    metric: Metric = Metric.ACCURACY,
) -> Shipped:
    """The model of an allocation that becomes its artifact, and what is known of it.

    Args:
        full: Rows of full precision, one a seed.
        own: Rows of the allocation.
        promise: What is asked of the artifact.
        biases: What opinions are usually wrong by.
        metric: What takes the place of accuracy.
    """
    row = shipped_row(own, biases)
    estimate = estimated([row.evidence], biases)
    low, high = estimate.interval(promise.confidence)
    reference = statistics.fmean(each.test_accuracy for each in full)
    return Shipped(
        seed=row.seed,
        val_accuracy=row.val_accuracy,
        estimated_drop=estimate.mean,
        drop_at_most=estimate.at_most(promise.confidence),
        drop_low=low,
        drop_high=high,
        probability=estimate.probability_within(promise.drop),
        test_accuracy=row.test_accuracy,
        test_accuracy_drop=metric.drop(reference, row.test_accuracy),
    )


def _std(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
