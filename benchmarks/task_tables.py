"""The tables of tasks other than one class a node, each from its file in ``benchmarks/results``."""

from kept_rows import Row, rows_of
from markdown_table import table

_SIZES = ("bits", "file", "memory", "against PyG")


def whole_graphs() -> list[str]:
    """Accuracy of whole-graph tasks at full precision and at few bits, over folds."""
    rows = [
        [
            str(row["dataset"]),
            row["model"].removeprefix("graph_").upper(),
            str(row["folds"]),
            f"{row['full']:.1f} ± {row['full_std']:.1f}",
            f"{row['few']:.1f} ± {row['few_std']:.1f}",
            f"{row['bits']:.2f}",
            f"{row['file_kib']:.0f} KiB",
            f"{row['resident_ratio']:.1f}x",
            f"{row['minutes'] / row['folds']:.0f}",
        ]
        for row in rows_of("graph_table")
    ]
    names = ("dataset", "model", "folds", "full precision, %", "few bits, %", "bits", "file")
    return table((*names, "memory", "minutes a fold"), rows)


def units() -> list[str]:
    """The average precision of features in any units, left as they are and scaled."""
    rows = [
        [
            row["units"],
            "scaled if needed" if row["standardize"] == "auto" else "left",
            *(f"{row[side]:.1f} ± {row[f'{side}_std']:.1f}" for side in ("full", "4_bits")),
        ]
        for row in rows_of("units")
    ]
    return table(("units", "columns", "full precision, %", "4 bits, %"), rows)


def several_labels() -> list[str]:
    """Macro average precision of several labels a node, and its drop."""
    return _shares("several_labels")


def unseen_graph() -> list[str]:
    """ROC AUC on a graph that no model saw, and its drop."""
    return _shares("unseen_graph")


def _shares(name: str) -> list[str]:
    rows = [
        [
            str(row["model"]),
            f"{100 * row['full_precision_test']:.1f}",
            f"{100 * row['test']:.1f}",
            f"{row['test_drop']:+.2f}",
            f"{row['drop_at_most']:+.2f}",
            *_sizes(row),
        ]
        for row in rows_of(name)
    ]
    return table(("model", "fp32, %", "packed, %", "drop", "at most", *_SIZES), rows)


def next_values() -> list[str]:
    """Mean absolute error of next values, its growth, and predictions a second."""
    rows = [
        [
            str(row["series"]).partition("_")[0],
            str(row["model"]),
            f"{-row['full_precision_test']:.3f}",
            f"{-row['test']:.3f}",
            f"{row['test_drop']:+.2f} %",
            f"{row['drop_at_most']:+.2f} %",
            *_sizes(row),
            *(
                f"{row[way]:,.0f}" if way in row else "no file"
                for way in ("together_per_second", "one_by_one_per_second")
            ),
        ]
        for row in rows_of("next_values")
    ]
    names = ("series", "model", "fp32, error", "packed, error", "growth", "at most", *_SIZES)
    return table((*names, "a second, together", "one by one"), rows)


def architectures() -> list[str]:
    """Kinds of published models, from search to a file."""
    rows = [
        [
            f"`{row['model']}`",
            row["dataset"],
            str(row["sites"]),
            f"{row['full_%']:.1f}",
            f"{row['packed_%']:.1f}",
            f"{row['drop']:+.2f}",
            f"{row['average_bits']:.1f}",
            f"{row['file_kib']:.0f} KiB",
            f"{row['resident_ratio_sparse_fp32']:.1f}x",
            f"{row['resident_ratio']:.0f}x",
        ]
        for row in rows_of("architectures")
    ]
    names = ("model", "graph", "places with bits", "fp32, %", "packed, %", "drop")
    return table((*names, *_SIZES), rows)


def _sizes(row: Row) -> list[str]:
    return [
        f"{row['average_bits']:.1f}",
        f"{row['file_kib']:.1f} KiB",
        f"{row['ratio_sparse_fp32']:.1f}x",
        f"{row['ratio']:.1f}x",
    ]
