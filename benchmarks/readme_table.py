"""Prints the README's table of results from ``benchmarks/results/paper_table.json``."""

import json
from pathlib import Path

from paper_table import mean_row
from report import Row

_RESULTS = Path(__file__).parent / "results" / "paper_table.json"
_NAMES = {
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "pubmed": "PubMed",
    "amazon_computers": "Computers",
}
_HEADINGS = (
    *("graph", "model", "fp32, test %", "packed, test %", "drop, points", "bits", "hidden bits"),
    *("sgquant", "resident", "vs sparse fp32", "stored", "vs sparse fp32", "wall"),
)
_RATIOS = (
    *("sgquant_ratio", "resident_ratio", "resident_ratio_sparse"),
    *("stored_ratio", "stored_ratio_sparse"),
)


def main() -> None:
    """Print the table in Markdown."""
    rows: list[Row] = json.loads(_RESULTS.read_text())
    print(_line(_HEADINGS))
    print(_line(["---"] * len(_HEADINGS)))
    for row in rows:
        print(_line(_cells(row)))
    mean = mean_row(rows)
    ratios = (f"{mean[name]:.1f}x" for name in _RATIOS)
    print(_line(["mean", "", "", "", f"{mean['drop']:+.2f}", "", "", *ratios, ""]))


def _cells(row: Row) -> list[str]:
    return [
        _NAMES[row["dataset"]] + ("" if row["within"] else ", a miss"),
        row["model"].upper(),
        f"{row['fp32_test_%']:.1f} ± {row['fp32_std']:.1f}",
        f"{row['test_%']:.1f} ± {row['std']:.1f}",
        f"{row['drop']:+.2f} ± {row['drop_ci95']:.2f}",
        f"{row['average_bits']:.2f}",
        f"{row['hidden_bits']:.2f}",
        *(f"{row[name]:.1f}x" for name in _RATIOS),
        f"{row['wall_s']:.0f} s",
    ]


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
