"""Names and messages that steer terminals, lines, the direction of reading, or spreadsheets."""

import csv
import errno
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table

from sgq_auto.comparison import comparison_files
from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.store import save_graph
from sgq_auto.node_files.predictions import write_predictions
from sgq_auto.reporting.pages.page_templates import _environment
from sgq_auto.reporting.terminal import console as consoles
from sgq_auto.text.safe_text import csv_cell, harmless, one_line, printable

_STEERING = [
    "\x1b[2J", "\x1b]0;title\x07", "a\nb", "a\rb", "\x9b31m", "\u202eevil", "\u2066x\u2069",
    "\u200f", "a\u2028b", "\x00", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", _STEERING)
def test_what_steers_is_shown_as_an_escape(text: str) -> None:
    shown = printable(f"name {text}!")
    assert shown.isprintable()
    assert "\\" in shown
    assert one_line(ValueError(text)).isprintable()
    shown.encode("utf-8")


def test_names_of_all_languages_stay_what_they_are() -> None:
    for text in ("plain", "Zürich", "日本語", "עברית", "a b", "😀"):
        assert printable(text) == harmless(text) == text
    assert one_line(ValueError("")) == "ValueError"
    assert harmless("1\u00a0KiB\u200b.") == "1\u00a0KiB\u200b."  # What pages lay text out with.


@pytest.mark.parametrize("text", _STEERING)
def test_neither_lines_nor_cells_of_tables_steer_a_terminal(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(consoles.sys, "stdout", out)
    console = consoles.output_console()
    table = Table(box=None)
    table.add_column(f"head {text}")
    table.add_row(f"cell {text}")
    console.print(f"line {text}")
    console.print(table)
    printed = out.getvalue()
    assert all(line.isprintable() for line in printed.split("\n"))
    assert len(printed.rstrip("\n").split("\n")) == 3


@pytest.mark.parametrize("text", [t for t in _STEERING if t != "a\nb"])
def test_pages_do_not_turn_round(text: str) -> None:
    page = _environment().from_string("<p>{{ name }}</p>").render(name=f"<b>{text}")
    assert "<b>" not in page
    assert not set(text) & set(page) & {"\x1b", "\x9b", "\u202e", "\u2066", "\u200f", "\u2028"}


def test_markdown_holds_no_link_of_a_name() -> None:
    cell = comparison_files._markdown_cell("[a](http://x)|<img src=x>\n`\x1b")
    assert cell == "\\[a](http://x)\\|\\<img src=x>\\\\n\\`\\\\x1b"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"), ("-1+cmd", "'-1+cmd"), ("-5_0", "'-5_0"), ("--1", "'--1"),
        ("-5", "-5"), ("+1.5e-3", "+1.5e-3"), ("-inf", "-inf"), ("5", "5"), ("a=b", "a=b"),
        (-5, -5), (-0.5, -0.5), (None, None), ("", ""), (True, True),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_numbers_stay(value: object, written: object) -> None:
    assert csv_cell(value) == written
    assert type(csv_cell(value)) is type(written)


def test_predictions_hold_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_predictions(path, ["=HYPERLINK(1)", "-7"], np.array([1, 0]), ["-1", "@class"])
    with path.open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["'=HYPERLINK(1)", "'@class"], ["-7", "-1"]]


def test_a_full_disk_is_an_error_of_the_system(cora: PreparedData, small_disk: Path) -> None:
    """What safetensors raises is none: a command could not tell it from a damaged file."""
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 4096))
    with pytest.raises(OSError, match="No space left") as error:
        save_graph(cora.graph, small_disk / "graph.safetensors")
    assert error.value.errno == errno.ENOSPC
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
