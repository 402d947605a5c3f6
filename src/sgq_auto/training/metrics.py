"""The figures that models are judged by; more is always better.

All of them take weights of the rows, so that a bootstrap's replicates are computed together.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from sgq_auto.task import Metric

Floats = np.ndarray[Any, np.dtype[np.float64]]
Array = np.ndarray[Any, Any]

# Weights that are looked at together: what a bootstrap holds stays small.
_CHUNK = 1 << 22


def score(metric: Metric, outputs: Tensor, labels: Tensor) -> float:
    """How good outputs are.

    Args:
        metric: The figure.
        outputs: ``[n, K]`` logits of classes or labels; or numbers in the units of the labels.
        labels: ``int64 [n]`` classes, ``float32 [n, L]`` labels 0 or 1, or ``[n, T]`` numbers.

    Returns:
        The figure; NaN where it says nothing, like ROC AUC where all nodes are of one class.
        Labels and classes that it says nothing of are left out of a mean over them. Accuracy of
        several labels is the share of right answers, yes or no, over nodes and labels.
    """
    if metric is Metric.ACCURACY and labels.dim() == 1:
        return float((outputs.argmax(dim=1) == labels).double().mean())
    weights = np.ones((1, labels.size(0)))
    return float(weighted_scores(metric, _numpy(outputs), _numpy(labels), weights)[0])


def resampled_scores(
    metric: Metric, outputs: Tensor, labels: Tensor, *, count: int, seed: int
) -> Floats:
    """The figure on ``count`` samples of as many rows, drawn with replacement: ``[count]``.

    The same seed and number of rows draw the same samples, so that figures of two models are
    compared in pairs (Efron's bootstrap).
    """
    rows, rng = labels.size(0), np.random.default_rng(seed)
    pairs = _numpy(outputs), _numpy(labels)
    parts = []
    step = max(1, _CHUNK // max(1, rows))
    for first in range(0, count, step):
        draws = rng.multinomial(rows, np.full(rows, 1 / rows), size=min(step, count - first))
        parts.append(weighted_scores(metric, *pairs, draws.astype(np.float64)))
    return np.concatenate(parts)


def weighted_scores(metric: Metric, outputs: Array, labels: Array, weights: Floats) -> Floats:
    """The figure for each of several weightings of the rows.

    Args:
        metric: The figure.
        outputs: ``[n, K]``, as in :func:`score`.
        labels: ``[n]`` or ``[n, K]``.
        weights: ``[B, n]``, how often each row counts.

    Returns:
        ``[B]``.
    """
    outputs = outputs.astype(np.float64)
    if metric in (Metric.R2, Metric.NEG_MAE):
        return _numbers(metric, outputs, labels.astype(np.float64), weights)
    if metric in (Metric.ROC_AUC, Metric.AVERAGE_PRECISION):
        return _ranked(metric, outputs, labels, weights)
    is_classes = labels.ndim == 1
    answers = _one_hot(outputs.argmax(axis=1), outputs.shape[1]) if is_classes else outputs > 0
    truth = _one_hot(labels, outputs.shape[1]) if is_classes else labels > 0
    if metric is Metric.ACCURACY:
        right = (answers == truth).all(axis=1) if is_classes else (answers == truth).mean(axis=1)
        means: Floats = weights @ right / weights.sum(axis=1)
        return means
    hits = weights @ (answers & truth).astype(np.float64)
    there = weights @ truth.astype(np.float64)
    if metric is Metric.BALANCED_ACCURACY:
        return _mean_known(hits, there)
    return _mean_known(2 * hits, there + weights @ answers.astype(np.float64))


def _numbers(metric: Metric, outputs: Floats, labels: Floats, weights: Floats) -> Floats:
    total = weights.sum(axis=1, keepdims=True)
    if metric is Metric.NEG_MAE:
        means: Floats = -(weights @ np.abs(outputs - labels) / total).mean(axis=1)
        return means
    centred = labels - labels.mean(axis=0)
    spread = weights @ centred**2 - (weights @ centred) ** 2 / total
    # What is left of rounding is no spread.
    spread = np.where(spread > 1e-12 * (weights @ centred**2), spread, 0.0)
    return 1 - _mean_known(weights @ (outputs - labels) ** 2, spread)


def _ranked(metric: Metric, outputs: Floats, labels: Array, weights: Floats) -> Floats:
    """Means of what the order of the rows says of each class or label."""
    if labels.ndim == 1:
        # One class against the others: the order of its probabilities.
        outputs = outputs - outputs.max(axis=1, keepdims=True)
        outputs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        labels = _one_hot(labels, outputs.shape[1])
    shares = [_mean_known(*part) for part in _columns(metric, outputs, labels > 0, weights)]
    stacked = np.stack(shares)
    known = ~np.isnan(stacked)
    return _mean_known(np.where(known, stacked, 0.0).sum(axis=0)[:, None], known.sum(0)[:, None])


def _columns(
    metric: Metric, outputs: Floats, truth: Array, weights: Floats
) -> Iterator[tuple[Floats, Floats]]:
    """Of each column the two parts ``[B, 1]`` of its figure's quotient."""
    for values, positive in zip(outputs.T, truth.T, strict=True):
        order = np.argsort(-values, kind="stable")
        # Equal values are told apart by nothing: they are taken together.
        ends = np.append(np.flatnonzero(np.diff(values[order])), values.size - 1)
        held, is_positive = weights[:, order], positive[order]
        hits = np.cumsum(held * is_positive, axis=1)[:, ends]
        misses = np.cumsum(held * ~is_positive, axis=1)[:, ends]
        positives, negatives = hits[:, -1:], misses[:, -1:]
        gained = np.diff(hits, axis=1, prepend=0.0)
        if metric is Metric.AVERAGE_PRECISION:
            seen = hits + misses
            precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
            yield (gained * precision).sum(axis=1, keepdims=True), positives
        else:
            above = np.diff(misses, axis=1, prepend=0.0) * (hits - gained / 2)
            yield above.sum(axis=1, keepdims=True), positives * negatives


def _mean_known(parts: Floats, wholes: Floats) -> Floats:
    """Mean over the columns of ``parts / wholes`` where there is a whole; NaN if nowhere."""
    known = wholes > 0
    shares = np.divide(parts, wholes, out=np.zeros_like(parts, dtype=np.float64), where=known)
    count = known.sum(axis=1)
    mean = np.divide(shares.sum(axis=1), count, out=np.full(count.shape, np.nan), where=count > 0)
    return np.asarray(mean)


def _one_hot(classes: Array, count: int) -> Array:
    hot: Array = classes[:, None] == np.arange(count)
    return hot


def _numpy(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().cpu().numpy())
