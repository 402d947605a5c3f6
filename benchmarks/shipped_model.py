"""Searches of benchmarks of other tasks, and what they report: the one model that is shipped."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch_geometric.data import Data

import sgq_auto
from report import Row
from sgq_auto.library import Found
from sgq_auto.searching.search_progress import Summary

_QUICK = ("finetune.epochs=30", "confirm.seeds=2", "teachers=2")


@contextmanager
def searched(
    model: type[nn.Module], data: Data | Sequence[Data], hidden: int, *, quick: bool, **options: Any
) -> Iterator[Found]:
    """What a search of 40 trials finds; its files are gone afterwards.

    Args:
        model: The model's class.
        data: Its graph, or graphs.
        hidden: Its hidden width.
        quick: Whether 12 short trials are enough.
        **options: More arguments of :func:`sgq_auto.search`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        yield sgq_auto.search(
            model,
            data,
            arguments={"hidden": hidden},
            n_trials=12 if quick else 40,
            output_root=scratch,
            overrides=_QUICK if quick else (),
            **options,
        )


def shipped_row(summary: Summary) -> Row:
    """Full precision, and the recommended model; the nearest miss where none is recommended."""
    full = summary["full_precision"]
    best = summary["recommended"] or summary["nearest_miss"]
    confirmed = best.get("confirmed") or best
    shipped = confirmed["shipped"]
    return {
        "metric": summary["metric"],
        "full_precision_test": full["test_accuracy"],
        "full_precision_kib": full["resident_bytes"] / 1024,
        "wall_seconds": summary["wall_seconds"],
        "recommended": summary["recommended"] is not None,
        "kib": best["resident_bytes"] / 1024,
        "file_kib": best["stored_bytes"] / 1024,
        "ratio": best["resident_ratio"],
        "ratio_sparse_fp32": best["resident_ratio_sparse_fp32"],
        "file_ratio": best["stored_ratio"],
        "average_bits": best["average_bits"],
        "test": shipped["test_accuracy"],
        "test_drop": shipped["test_accuracy_drop"],
        "drop_at_most": shipped["drop_at_most"],
        "mean_test_drop": confirmed["test_accuracy_drop"],
    }
