"""The rows of measurements that are kept in ``benchmarks/results``, and how to name one figure."""

import json
import re
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FOLDER = Path(__file__).resolve().parent / "results"
_FIGURE = re.compile(r"(?P<file>\w+)\[(?P<where>[^\]]*)\]\.(?P<field>.+):(?P<format>[^:]+)")


@cache
def rows_of(name: str) -> list[Row]:
    """The rows of ``benchmarks/results/NAME.json``."""
    rows: list[Row] = json.loads((FOLDER / f"{name}.json").read_text())
    return rows


def one_row(name: str, **where: str) -> Row:
    """The only row of a file with these values; ``dataset=mean`` is the mean of all rows.

    Raises:
        SystemExit: If there is none, or more than one.
    """
    if where == {"dataset": "mean"}:
        return mean_row(rows_of(name))
    found = [
        row
        for row in rows_of(name)
        if all(str(row.get(key)) == value for key, value in where.items())
    ]
    if len(found) != 1:
        raise SystemExit(f"{name}.json has {len(found)} rows with {where}; one is needed")
    return found[0]


def mean_row(rows: Sequence[Row]) -> Row:
    """The mean of the drops and the geometric means of the ratios of several rows."""
    mean: Row = {"dataset": "mean", "drop": statistics.fmean(row["drop"] for row in rows)}
    for name in (name for name in rows[0] if "_ratio" in name):
        mean[name] = statistics.geometric_mean(row[name] for row in rows)
    return mean


def figure(asked: str) -> str:
    """One figure as a page shows it.

    Args:
        asked: File, row, field and format, like
            ``paper_table[dataset=cora,model=gcn].resident_ratio:.1f``.

    Raises:
        SystemExit: If it is not written so, or names no single row.
    """
    parts = _FIGURE.fullmatch(asked)
    if parts is None:
        raise SystemExit(f"{asked}: write FILE[KEY=VALUE,...].FIELD:FORMAT")
    where = dict(pair.split("=", 1) for pair in parts["where"].split(",") if pair)
    return format(one_row(parts["file"], **where)[parts["field"]], parts["format"])
