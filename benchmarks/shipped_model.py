"""What benchmarks of other tasks report of a search: the one model that is shipped."""

from report import Row
from sgq_auto.searching.search_progress import Summary


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
