"""SGQuant's table with this tool, from ``benchmarks/results/paper_table.json``, in Markdown.

``python benchmarks/readme_table.py`` prints the four rows that the README shows;
``docs/measurements.md`` has all rows (:func:`all_rows`). ``doc_tables.py`` writes both into the
pages.
"""

from collections.abc import Callable

from kept_rows import Row, mean_row, rows_of
from markdown_table import table

GRAPHS = {
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "pubmed": "PubMed",
    "amazon_computers": "Computers",
}
# The README has every graph once, with the model that most people begin with.
_IN_README = "gcn"


def main() -> None:
    """Print the README's table."""
    print("\n".join(readme_rows()))


def readme_rows() -> list[str]:
    """One row a graph: the ratio against sparse fp32 first, for it is the harder one to reach."""
    rows = [row for row in rows_of("paper_table") if row["model"] == _IN_README]
    return table(
        (
            *("graph", "less memory than sparse fp32", "less memory than PyG"),
            *("full precision, test %", "packed, test %", "accuracy lost, points"),
        ),
        [
            [
                _graph(row),
                _ratio("resident_ratio_sparse")(row),
                _ratio("resident_ratio")(row),
                _accuracy(row, "fp32_test_%", "fp32_std"),
                _accuracy(row, "test_%", "std"),
                _drop(row),
            ]
            for row in rows
        ],
    )


def all_rows() -> list[str]:
    """Every graph and model, and the means over them."""
    ratios = {
        "resident, against sparse fp32": "resident_ratio_sparse",
        "resident, against PyG": "resident_ratio",
        "stored, against sparse fp32": "stored_ratio_sparse",
        "stored, against PyG": "stored_ratio",
        "sgquant": "sgquant_ratio",
    }
    rows = rows_of("paper_table")
    mean = mean_row(rows)
    cells = [
        [
            _graph(row),
            row["model"].upper(),
            *(_ratio(name)(row) for name in ratios.values()),
            _accuracy(row, "fp32_test_%", "fp32_std"),
            _accuracy(row, "test_%", "std"),
            _drop(row),
            f"{row['average_bits']:.2f}",
            f"{row['hidden_bits']:.2f}",
            f"{row['wall_s']:.0f} s",
        ]
        for row in rows
    ]
    cells.append(
        [
            *("mean", ""),
            *(_ratio(name)(mean) for name in ratios.values()),
            *("", "", f"{mean['drop']:+.2f}", "", "", ""),
        ]
    )
    names = ("fp32, test %", "packed, test %", "drop, points", "bits", "hidden bits", "wall")
    return table(("graph", "model", *ratios, *names), cells)


def _graph(row: Row) -> str:
    return GRAPHS[row["dataset"]] + ("" if row["within"] else ", a miss")


def _ratio(name: str) -> Callable[[Row], str]:
    return lambda row: f"{row[name]:.1f}x"


def _accuracy(row: Row, mean: str, deviation: str) -> str:
    return f"{row[mean]:.1f} ± {row[deviation]:.1f}"


def _drop(row: Row) -> str:
    return f"{row['drop']:+.2f} ± {row['drop_ci95']:.2f}"


if __name__ == "__main__":
    main()
