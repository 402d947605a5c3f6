"""A comparison as files, and in the terminal."""

import csv
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.ticker

from sgq_auto.comparison.comparison import HEADINGS, Comparison
from sgq_auto.comparison.seed_groups import Group
from sgq_auto.reporting.pages import render
from sgq_auto.reporting.terminal.console import output_console, print_words
from sgq_auto.reporting.terminal.tables import Column, print_columns
from sgq_auto.reporting.written_units import axis_label, memory_words, metric_of
from sgq_auto.searching.search_progress import Summary
from sgq_auto.text.safe_text import csv_cell, printable

_NOTE = (
    "Ratios are against PyG fp32 unless the column says otherwise. Over several seeds they are "
    "geometric means; all other figures are means. Drops are on test nodes: first that of the "
    "packed model, then in brackets the mean of the fresh seeds. ± is its standard deviation over "
    "studies, or over the fresh seeds of a single study. Studies of earlier versions have only the "
    "mean."
)
_COLORS = ("#1f6fb2", "#d06f14", "#2e8b57", "#8e44ad", "#c23030", "#6b7785", "#0e8c99", "#9c7a12")
_MARKDOWN = re.compile(r"[\\|<\[`]")
# What a narrow terminal leaves out first; the rest always stays.
_ORDER = ("wall", "vs sparse fp32", "hypervolume", "bits", "seeds", "fp32 test %", "test %")
_DROP = "drop, points"
_RANKS = {heading: rank for rank, heading in enumerate(_ORDER)}


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write a comparison as a page, a picture, a table of all studies, and Markdown.

    Args:
        comparison: The studies.
        folder: Where the files go; it is made.

    Returns:
        The files.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page, picture, table, text = (
        folder / f"comparison.{ending}" for ending in ("html", "png", "csv", "md")
    )
    html = render("comparison.html", comparison=comparison, headings=HEADINGS, note=_NOTE)
    page.write_text(html, encoding="utf-8")
    _save_png(comparison, picture)
    _save_csv(comparison, table)
    text.write_text(_markdown(comparison), encoding="utf-8")
    return [page, picture, table, text]


def print_table(comparison: Comparison) -> None:
    """Print the table; a narrow terminal gets the columns that matter most."""
    console = output_console()
    print_columns(console, comparison_columns(comparison))
    for remark in comparison.remarks():
        print_words(console, remark)


def comparison_columns(comparison: Comparison) -> list[Column]:
    """The table as columns, which know what to leave out on a narrow terminal."""
    cells = zip(*comparison.rows(), strict=True)
    brief, rank = {_DROP: comparison.brief_drops()}, _RANKS["test %"]
    return [
        Column(heading, column, _RANKS.get(heading), brief.get(heading), rank, is_text=place == 0)
        for place, (heading, column) in enumerate(zip(HEADINGS, cells, strict=True))
    ]


def _markdown(comparison: Comparison) -> str:
    lines = [HEADINGS, ["---"] * len(HEADINGS), *comparison.rows()]
    cells = [[_markdown_cell(str(cell)) for cell in line] for line in lines]
    table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    remarks = "".join(f"- {printable(remark)}\n" for remark in comparison.remarks())
    return f"{table}\n\n{_NOTE}\n" + (f"\n{remarks}" if remarks else "")


def _markdown_cell(text: str) -> str:
    """A text that is no link, picture, HTML or border of a table, whatever it holds."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def _save_csv(comparison: Comparison, path: Path) -> None:
    """One row a study, with every single figure of its summary."""
    rows = [_flat(summary) for summary in comparison.summaries]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({name: csv_cell(cell) for name, cell in row.items()} for row in rows)


def _flat(summary: Summary) -> dict[str, Any]:
    flat = {name: value for name, value in summary.items() if _is_single(value)}
    for entry in ("full_precision", "recommended"):
        values = summary[entry] or {}
        flat |= {f"{entry}_{name}": value for name, value in values.items() if _is_single(value)}
    return flat


def _is_single(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _save_png(comparison: Comparison, path: Path) -> None:
    panels = list(comparison.panels())
    figure = matplotlib.figure.Figure(
        figsize=(7.5, 4.6 * len(panels)), dpi=140, layout="constrained"
    )
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axis, (dataset, members) in zip(axes, panels, strict=True):
        _draw_panel(axis, members)
        axis.set_title(dataset, fontsize=10)
        kind = comparison.objective.removesuffix("_bytes")
        axis.set_xlabel(f"{memory_words(kind)} (KiB, log scale)")
    figure.savefig(path)


def _draw_panel(axis: Any, members: Sequence[tuple[int, Group]]) -> None:
    for number, group in members:
        # A name with all its overrides may be wider than the picture.
        color, name = _COLORS[number], textwrap.fill(group.name, 70)
        sizes, accuracies = zip(*group.mean_front(), strict=True) if group.fronts() else ((), ())
        axis.step(sizes, accuracies, where="post", color=color, marker="o", ms=3, label=name)
        if len(group.fronts()) > 1:
            low, high = ([a for _, a in group.mean_front(over)] for over in (min, max))
            axis.fill_between(sizes, low, high, step="post", color=color, alpha=0.16, lw=0)
    axis.set_xscale("log")
    for set_formatter in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
        set_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.4g}"))
    axis.set_ylabel(axis_label(metric_of(members[0][1].summaries[0])))
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="lower right")
