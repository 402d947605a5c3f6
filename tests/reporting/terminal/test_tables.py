"""Tables on terminals of any width, and in files."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from test_terminal import confident, point, summary

from sgq_auto.comparison import Comparison
from sgq_auto.comparison.comparison_files import comparison_columns
from sgq_auto.reporting.terminal.confirmed_table import confirmed_columns
from sgq_auto.reporting.terminal.tables import Column, fitting, print_columns


def printed(columns: list[Column], width: int | None) -> list[str]:
    """The lines of a table on a terminal so wide, or in a file."""
    file = io.StringIO()
    console = Console(
        file=file,
        force_terminal=width is not None,
        width=width or 80,
        soft_wrap=True,
        color_system=None,
    )
    print_columns(console, columns)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in file.getvalue().splitlines()]


def searched(**changes: Any) -> dict[str, Any]:
    best = {"trial": 7}
    return summary(best, None) | {"objective": "resident_bytes"} | changes


def whole_rows(lines: list[str], columns: list[Column], rows: int) -> bool:
    """Whether every row is one line, and every figure in it is one that was given."""
    known = {
        word for c in columns for text in (*c.cells, *(c.brief or ())) for word in text.split()
    }
    words = {word for line in lines[1:] for word in line.split()}
    return len(lines) == rows + 1 and words <= known


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_row_is_broken_and_the_marker_stands_at_the_left(width: int) -> None:
    columns = confirmed_columns(searched())
    lines = printed(columns, width)
    assert whole_rows(lines, columns, rows=3)
    assert max(map(len, lines)) <= width
    assert [line[:9] for line in lines[2:]] == ["   trial ", "-> trial "]
    heading = lines[0]
    assert "resident" in heading
    assert "test drop" in heading
    assert ("stored" in heading) == (width >= 100)
    assert ("±" in lines[2]) == (width >= 80)


@pytest.mark.parametrize("width", [60, 80, 100, 120, None])
def test_what_decides_stays_on_the_narrowest_terminal(width: int | None) -> None:
    columns = confirmed_columns(confident())
    lines = printed(columns, width)
    assert whole_rows(lines, columns, rows=4)
    assert width is None or max(map(len, lines)) <= width
    heading = lines[0]
    for stays in ("resident", "at most", "test %", "test drop"):
        assert stays in heading
    assert ("est. drop" in heading) == (width is None or width >= 80)
    assert ("bits cost" in heading) == (width is None or width >= 100)
    assert ("±" in lines[2]) == (width is None or width >= 80)
    assert ("stored" in heading) == (width is None or width >= 120)


def test_a_single_seed_has_no_spread() -> None:
    found = confident()
    assert "±" in "\n".join(printed(confirmed_columns(found), None))
    for entry in found["confirmed"]:
        entry["confirmed"]["seeds"] = 1
    assert "±" not in "\n".join(printed(confirmed_columns(found), None))


def test_detail_goes_by_its_rank() -> None:
    columns = [
        Column("a", ["1234567890"], brief=["12"], brief_rank=2),
        Column("b", ["1234567890"], 1),
        Column("c", ["1234567890"], 3),
    ]
    assert [(c.heading, c.width) for c in fitting(columns, 22)] == [("a", 10), ("c", 10)]
    assert [(c.heading, c.width) for c in fitting(columns, 20)] == [("a", 2), ("c", 10)]


def test_a_file_has_every_column_on_one_line() -> None:
    columns = confirmed_columns(searched())
    lines = printed(columns, None)
    assert whole_rows(lines, columns, rows=3)
    assert all(column.heading in lines[0] for column in columns)
    assert "81.0 ± 1.0" in lines[2]


@pytest.mark.parametrize("kind", ["stored", "peak", "sgquant"])
def test_the_bytes_that_were_minimised_always_stay(kind: str) -> None:
    sizes = {f"{kind}_bytes": 5120, f"{kind}_ratio": 12.5}
    points = [point(3, 1.5) | sizes, point(7, 0.25) | sizes]
    full = summary(None, None)["full_precision"] | {f"{kind}_bytes": 64_000}
    found = searched(objective=f"{kind}_bytes", confirmed=points, full_precision=full)
    for width in (60, 120):
        lines = printed(confirmed_columns(found), width)
        assert lines[0].split()[1 if width == 120 else 0] == kind
        assert "5.0 KiB" in lines[2]


def test_a_comparison_of_files_keeps_their_drop_on_a_narrow_terminal(
    made_summaries: list[dict[str, Any]],
) -> None:
    for made in made_summaries:
        made["recommended"]["shipped"] = {"test_accuracy_drop": 0.35}
    columns = comparison_columns(Comparison.of(made_summaries))
    assert "+0.35 (mean +1.20 ± 0.40)" in printed(columns, None)[1]
    narrow = printed(columns, 60)
    assert max(map(len, narrow)) <= 60
    assert narrow[1].endswith("+0.35")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_long_words_of_a_name_cut_no_figure(
    width: int, made_summaries: list[dict[str, Any]]
) -> None:
    words = "dataset.source.edge_columns=[from_paper,to_paper] objective=resident_bytes"
    made_summaries[1] |= {
        "command": f"python -m sgq_auto.search {words}",
        "model": made_summaries[0]["model"],
    }
    lines = printed(comparison_columns(Comparison.of(made_summaries)), width)
    assert max(map(len, lines)) <= width
    assert sum("trial 16, 83.9 KiB  189.8x" in line for line in lines) == 2
    assert not any("…" in line for line in lines)


def test_without_points_there_is_full_precision_alone() -> None:
    full = summary(None, None)["full_precision"]
    full |= {"val_accuracy": None, "test_accuracy": None, "test_accuracy_std": None}
    columns = confirmed_columns(searched(confirmed=[], full_precision=full, recommended=None))
    assert len(printed(columns, 80)) == 2


@pytest.mark.parametrize("width", [60, 80, 100, 120, None])
def test_a_comparison_wraps_names_between_words_and_no_figure(
    width: int | None, made_summaries: list[dict[str, Any]]
) -> None:
    columns = comparison_columns(Comparison.of(made_summaries))
    lines = printed(columns, width)
    known = {
        word
        for c in columns
        for text in (c.heading, *c.cells, *(c.brief or ()))
        for word in text.split()
    }
    assert {word for line in lines for word in line.split()} <= known
    assert width is None or max(map(len, lines)) <= width
    assert "drop, points" in lines[0]
    assert ("wall" in lines[0]) == (width is None)


def test_what_matters_least_goes_first() -> None:
    columns = [
        Column("a", ["1234567890"], brief=["12"]),
        Column("b", ["1234567890"], 2),
        Column("c", ["1234567890"], 1),
    ]
    assert [c.heading for c in fitting(columns, 40)] == ["a", "b", "c"]
    assert [(c.heading, c.width) for c in fitting(columns, 26)] == [("a", 2), ("b", 10), ("c", 10)]
    assert [c.heading for c in fitting(columns, 20)] == ["a", "b"]
    assert [c.heading for c in fitting(columns, 1)] == ["a"]


@pytest.fixture
def made_summaries() -> list[dict[str, Any]]:
    best = {
        "trial": 16,
        "resident_bytes": 85_913,
        "resident_ratio": 189.8,
        "resident_ratio_sparse_fp32": 11.9,
        "average_bits": 1.05,
        "test_accuracy": 0.79,
        "test_accuracy_drop": 1.2,
        "test_accuracy_drop_std": 0.4,
    }
    return [
        {
            "study": f"study-{k}",
            "family": str(k),
            "dataset": "embedded_cora",
            "model": model,
            "granularity": "lwq_cwq_taq",
            "sampler": "abs",
            "seed": 0,
            "objective": "resident_bytes",
            "hypervolume": 0.91,
            "wall_seconds": 61.0,
            "full_precision": {"val_accuracy": 0.8, "test_accuracy": 0.804},
            "recommended": best,
            "front": [],
            "command": "",
        }
        for k, model in enumerate(("gcn", "graph_transformer"))
    ]


def test_the_table_of_a_search_is_printed_as_a_file_has_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        print_columns(Console(file=file, soft_wrap=True), confirmed_columns(searched()))
    assert len(path.read_text().splitlines()) == 4


def _in_c(**bounds: float) -> dict[str, Any]:
    """A search whose points have flash and RAM too."""
    found = searched(**bounds)
    for entry in [found["full_precision"], *found["confirmed"]]:
        entry |= {"flash_bytes": 2048, "ram_bytes": 1024}
    return found


def test_flash_and_ram_are_columns_where_there_is_room() -> None:
    assert "RAM" in printed(confirmed_columns(_in_c()), 160)[0]
    narrow = printed(confirmed_columns(_in_c()), 80)[0]
    assert "RAM" not in narrow
    assert narrow == printed(confirmed_columns(searched()), 80)[0]


def test_what_a_search_bounds_stays_on_narrow_terminals() -> None:
    bounded = confirmed_columns(_in_c(max_ram_kib=64))
    heading, *rows = printed(bounded, 80)
    assert "flash" in heading
    assert "RAM" in heading
    assert all("1.0 KiB" in row for row in rows)
