"""How sizes and figures of models are written for people."""

from collections.abc import Mapping
from typing import Any

from sgq_auto.task import Metric


def kib(num_bytes: float) -> str:
    """Bytes in KiB, like ``97.1 KiB``."""
    return f"{num_bytes / 1024:,.1f} KiB"


def memory_name(kind: str) -> str:
    """A kind of memory as people write it: ``RAM``, or as the figure is called."""
    return "RAM" if kind == "ram" else kind


def memory_words(kind: str) -> str:
    """What a figure counts, like ``resident memory``; ``RAM in C`` for a model in C."""
    return {"flash": "flash in C", "ram": "RAM in C"}.get(kind, f"{kind} memory")


def device_kinds(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """``flash`` and ``ram`` where a summary has them: the model can be written in C."""
    known = summary["full_precision"]
    return tuple(kind for kind in ("flash", "ram") if f"{kind}_bytes" in known)


def has_device_bounds(summary: Mapping[str, Any]) -> bool:
    """Whether a search had bounds of flash or RAM."""
    return any(summary.get(f"max_{kind}_kib") is not None for kind in ("flash", "ram"))


def percent(fraction: float) -> str:
    """A fraction in percent, like ``81.5 %``."""
    return f"{100 * fraction:.1f} %"


def points(count: float) -> str:
    """Percentage points as they are set, like ``0.4 points``."""
    return f"{count:g} point{'' if count == 1 else 's'}"


def metric_of(summary: Mapping[str, Any]) -> Metric:
    """What the models of a summary were judged by; accuracy in those of earlier versions."""
    return Metric(summary.get("metric") or Metric.ACCURACY)


def figure(metric: Metric, value: float) -> str:
    """A figure in a column of them: per cent without the sign, or an error."""
    return f"{100 * value:.1f}" if metric.is_share else f"{-value:.4g}"


def spread(metric: Metric, std: float) -> str:
    """A standard deviation beside such a figure."""
    return f"{100 * std:.1f}" if metric.is_share else f"{std:.2g}"


def plotted(metric: Metric, value: float) -> float:
    """A figure on the axis of a picture, where more is better: per cent, or an error below 0."""
    return 100 * value if metric.is_share else value


def axis_label(metric: Metric) -> str:
    """What that axis shows."""
    name = f"validation {metric.words}"
    return f"{name} (%)" if metric.is_share else f"minus {name}"


def amount(metric: Metric, drop: float) -> str:
    """An allowed drop, like ``0.4 points``, or ``1 % of the error``."""
    return points(drop) if metric.is_share else f"{drop:g} {metric.unit}"
