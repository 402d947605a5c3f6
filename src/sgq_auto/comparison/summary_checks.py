"""What a ``summary.json`` must hold to be compared: anybody may have written it."""

import math
from collections.abc import Mapping
from typing import Any

from sgq_auto.packed import Objective

_TEXTS = ("study", "dataset", "model", "granularity", "sampler")
_OTHER_TEXTS = ("family", "command", "recommended_reason")
_SIZED = tuple(objective.value for objective in Objective)


def summary_fault(summary: Any) -> str | None:
    """What is wrong with the content of a summary, as the rest of a line; ``None`` if nothing is.

    Only what a comparison reads is looked at. Summaries of earlier versions lack some entries,
    which is no fault.
    """
    if not isinstance(summary, dict):
        return "it is no JSON object"
    for name in _TEXTS:
        if not isinstance(summary.get(name), str):
            return f"{name} must be text"
    for name in _OTHER_TEXTS:
        if not isinstance(summary.get(name), str | None):
            return f"{name} must be text"
    if summary.get("objective") not in _SIZED:
        return f"objective must be one of {', '.join(_SIZED)}"
    for name in ("seed", "hypervolume", "wall_seconds"):
        if not _is_number(summary.get(name)):
            return f"{name} must be a number"
    if summary.get("n_trials") is not None and not _is_number(summary["n_trials"]):
        return "n_trials must be a number"
    return _full_fault(summary) or _points_fault(summary)


def _full_fault(summary: Mapping[str, Any]) -> str | None:
    full, guessing = summary.get("full_precision"), summary.get("guessing") or {}
    if not isinstance(full, dict) or not {"test_accuracy", "val_accuracy"} <= full.keys():
        return "full_precision must have a test_accuracy and a val_accuracy"
    for name in ("test_accuracy", "val_accuracy", "search_val_accuracy"):
        if full.get(name) is not None and not _is_number(full[name]):
            return f"full_precision.{name} must be a number"
    if not isinstance(guessing, dict) or not isinstance(guessing.get("warning"), str | None):
        return "guessing.warning must be text"
    return None


def _points_fault(summary: Mapping[str, Any]) -> str | None:
    if "recommended" not in summary or not isinstance(summary.get("front"), list):
        return "it must have a front, a list, and a recommended point, or null"
    objective, best, front = summary["objective"], summary["recommended"], summary["front"]
    for place, point in enumerate(front):
        fault = _point_fault(point, (objective, "val_accuracy", "trial"), objective)
        if fault:
            return f"front[{place}]{fault}"
    if best is None:
        return None
    ratio = f"{objective.removesuffix('_bytes')}_ratio"
    tested = ("test_accuracy", "test_accuracy_drop", "test_accuracy_drop_std")
    fault = _point_fault(best, (objective, ratio, "average_bits", "trial", *tested), objective)
    if not fault:
        fault = _shipped_fault(best.get("shipped"))
    sparse = f"{ratio}_sparse_fp32"
    if not fault and sparse in best and not (_is_number(best[sparse]) and best[sparse] > 0):
        fault = f".{sparse} must be a number above 0"
    return f"recommended{fault}" if fault else None


def _shipped_fault(shipped: Any) -> str | None:
    """What is wrong with the model that is shipped; earlier versions have none."""
    if shipped is None:
        return None
    if not isinstance(shipped, dict) or not _is_number(shipped.get("test_accuracy_drop")):
        return ".shipped must have a test_accuracy_drop, a number"
    return None


def _point_fault(point: Any, names: tuple[str, ...], objective: str) -> str | None:
    if not isinstance(point, dict):
        return " must be a JSON object"
    for name in names:
        if not _is_number(point.get(name)):
            return f".{name} must be a number"
    for name in names:
        if (name == objective or name.endswith("_ratio")) and not point[name] > 0:
            return f".{name} must be above 0"
    return None


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number of a size that figures of a search have."""
    return type(value) in (int, float) and abs(value) < 1e18 and math.isfinite(value)
