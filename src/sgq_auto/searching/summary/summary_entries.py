"""``summary.json``: what a search found, for people and for other tools."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sgq_auto.files.atomic_file import whole_file
from sgq_auto.packed import Footprint, FootprintModel
from sgq_auto.searching.confirming.confirm_rows import DISTILLED
from sgq_auto.searching.confirming.confirmed_allocation import Confirmed, Shipped
from sgq_auto.searching.confirming.recommendation import Results
from sgq_auto.searching.measuring.majority_class import Guessing
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import Summary
from sgq_auto.searching.trials.repeated_measurements import Estimate
from sgq_auto.settings.budget_settings import Budget

# Figures whose full precision has no sparse form of its own.
_ONE_REFERENCE = ("sgquant_bytes", "flash_bytes", "ram_bytes")


def trial_sizes(footprints: FootprintModel, footprint: Mapping[str, int]) -> dict[str, float]:
    """Bytes of a trial, and full precision divided by them.

    ``*_ratio`` is against what PyG holds, ``*_ratio_sparse_fp32`` against fp32 held with sparse
    features and int32 CSR. Flash and RAM are against the fp32 model in C, which has one form only.
    """
    sizes: dict[str, float] = {}
    full, sparse = footprints.full_precision().as_dict(), footprints.sparse_fp32().as_dict()
    for name, num_bytes in footprint.items():
        kind = name.removesuffix("_bytes")
        sizes[name] = num_bytes
        sizes[f"{kind}_ratio"] = full[name] / num_bytes
        if name not in _ONE_REFERENCE:
            sizes[f"{kind}_ratio_sparse_fp32"] = sparse[name] / num_bytes
    return sizes


def nearest_miss(
    bench: Workbench, confirmed: Sequence[Estimate], results: Results
) -> dict[str, Any]:
    """Why nothing can be recommended, and what comes closest: the ``nearest_miss`` entry.

    Returns:
        The entry, its ``reason`` among it; ``trial`` is ``None`` for one that was not trained.
    """
    settings = bench.settings
    if bench.nothing_fits is not None:
        smallest = bench.space.smallest()
        return {
            "reason": bench.nothing_fits,
            "trial": None,
            **trial_sizes(bench.reported, bench.reported.packed(smallest).as_dict()),
            "bits": smallest.by_name(),
            "confirmed": None,
        }
    if not confirmed:
        return {"reason": "no point was confirmed"}
    nearest = min(confirmed, key=lambda p: _shipped(results[p.number]).drop_at_most)
    unit = bench.graph.metric.unit
    shipped, promise = _shipped(results[nearest.number]), settings.promise
    limit = _limit(settings.budget)
    return {
        "reason": f"no confirmed point{limit} loses at most {promise.drop:g} {unit} with "
        f"{100 * promise.confidence:g} % confidence; the nearest is trial {nearest.number} in "
        f"{nearest.num_bytes / 1024:,.1f} KiB, which loses at most {shipped.drop_at_most:.2f} "
        f"{unit} with that confidence (estimate {shipped.estimated_drop:+.2f})",
        **describe_points(bench, [nearest], results)[0],
    }


def _limit(budget: Budget) -> str:
    """The bounds of sizes, in words."""
    bounds = [] if budget.max_kib is None else [f"{budget.max_kib:g} KiB"]
    bounds += [f"{name}={most:g}" for name, (_, most) in budget.of_device.items()]
    return f" in {' and '.join(bounds)}" if bounds else ""


def _shipped(confirmed: Confirmed) -> Shipped:
    """The model that a confirmed point would ship."""
    assert confirmed.shipped is not None
    return confirmed.shipped


def describe_full_precision(bench: Workbench, results: Results) -> dict[str, Any]:
    """The ``full_precision`` entry; accuracies are ``None`` where nothing was trained."""
    confirmed = results.get(None)
    footprint: Footprint = bench.reported.full_precision()
    sparse = bench.footprints.sparse_fp32().as_dict()
    searched = bench.pretrained.val_accuracy if bench.is_trained else None
    return {
        "val_accuracy": confirmed.val_accuracy if confirmed else searched,
        "test_accuracy": confirmed.test_accuracy if confirmed else None,
        "test_accuracy_std": confirmed.test_accuracy_std if confirmed else None,
        "search_val_accuracy": searched,
        **footprint.as_dict(),
        **{f"sparse_fp32_{k}": v for k, v in sparse.items() if k not in _ONE_REFERENCE},
    }


def describe_distilled(results: Results) -> dict[str, Any] | None:
    """The ``distilled`` entry: full precision, fine-tuned as every point is by the same teachers.

    Returns:
        ``None`` where nothing was confirmed, or it diverged.
    """
    found = results.get(DISTILLED)
    if found is None:
        return None
    left_out = ("shipped", "distilled_estimated_drop", "distilled_test_accuracy_drop")
    return {name: value for name, value in asdict(found).items() if name not in left_out}


def describe_guessing(bench: Workbench, results: Results) -> dict[str, Any] | None:
    """The ``guessing`` entry: full precision against always answering the most frequent class.

    Returns:
        ``None`` where nothing was trained. What is wrong in the search stays said, however fresh
        seeds are; what is wrong on fresh seeds is said too.
    """
    if bench.guessing is None:
        return None
    found, confirmed = bench.guessing.as_dict() | {"warning": bench.warning}, results.get(None)
    fresh = confirmed and Guessing.of(
        confirmed.val_accuracy, bench.graph, bench.settings.allowed_drop
    )
    if fresh and fresh.warning and not bench.guessing.warning:
        found |= {"standing": fresh.standing, "warning": f"{fresh.warning} (mean of fresh seeds)"}
    return {**found, "teachers_val_accuracy": list(bench.teacher_accuracies)}


def describe_recommended(
    bench: Workbench, point: Estimate, confirmed: Confirmed, artifact: Path | str | None
) -> dict[str, Any]:
    """The ``recommended`` entry; ``artifact`` is the packed model, or why there is none."""
    allocation = bench.space.allocation(point.params)
    return {
        "trial": point.number,
        "bits": allocation.by_name(),
        "average_bits": bench.footprints.average_bits(allocation),
        "hidden_bits": bench.footprints.hidden_bits(allocation),
        **{k: v for k, v in asdict(confirmed).items() if k != "seeds"},
        "seeds": confirmed.seeds,
        "search_val_accuracy": point.val_accuracy,
        "search_measurements": point.measurements,
        "first_val_accuracy": point.record.val_accuracy,
        **trial_sizes(bench.reported, bench.reported.packed(allocation).as_dict()),
        "parts": bench.footprints.packed_parts(allocation),
        "stored_parts": bench.footprints.stored_parts(allocation),
        "artifact_path": str(artifact) if isinstance(artifact, Path) else None,
        "artifact_file_bytes": artifact.stat().st_size if isinstance(artifact, Path) else None,
        "artifact_reason": artifact if isinstance(artifact, str) else None,
    }


def describe_points(
    bench: Workbench, points: Sequence[Estimate], results: Results
) -> list[dict[str, Any]]:
    """The entries of ``front`` and ``confirmed``, smallest first."""
    entries = []
    for point in points:
        allocation = bench.space.allocation(point.params)
        confirmed = results.get(point.number)
        entries.append(
            {
                "trial": point.number,
                "val_accuracy": point.val_accuracy,
                "measurements": point.measurements,
                **trial_sizes(bench.reported, bench.reported.packed(allocation).as_dict()),
                "average_bits": bench.footprints.average_bits(allocation),
                "hidden_bits": bench.footprints.hidden_bits(allocation),
                "bits": allocation.by_name(),
                "confirmed": asdict(confirmed) if confirmed else None,
            }
        )
    return entries


def write_summary(summary: Summary, path: Path) -> None:
    """Write a summary, whole or not at all; numbers that are not finite become ``null``."""
    with whole_file(path) as scratch:
        scratch.write_text(
            json.dumps(_finite(summary), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
