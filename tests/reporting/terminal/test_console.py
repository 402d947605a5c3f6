"""The console that tables are printed on."""

import io
import sys

import pytest
from rich.table import Table

from sgq_auto.reporting.terminal.console import output_console, print_words
from sgq_auto.text.plain_text import tolerate


@pytest.mark.parametrize(("encoding", "mark"), [("ascii", "+/-"), ("cp1252", "±"), ("utf-8", "±")])
def test_columns_stay_in_line_in_any_encoding(
    encoding: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    tolerate(stream)
    monkeypatch.setattr(sys, "stdout", stream)
    table = Table(box=None, pad_edge=False)
    for heading in ("test %", "drop"):
        table.add_column(heading, justify="right")
    table.add_row("81.5 ± 0.6", "+0.1")
    table.add_row("", "+0.2")
    console = output_console()
    console.print(table)
    console.print("café ± 1")
    stream.flush()
    stream.seek(0)
    head, first, second, line = stream.read().splitlines()
    assert first.rstrip() == f"81.5 {mark} 0.6  +0.1"
    assert first.index("+0.1") == second.index("+0.2") == head.index("drop")
    assert line == ("caf\\xe9 +/- 1" if encoding == "ascii" else "café ± 1")


def test_a_number_and_its_unit_stay_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = "it loses at most 0.4 points with 90 % confidence in 83.9 KiB " * 3
    for width in range(24, 60):
        monkeypatch.setenv("COLUMNS", str(width))
        print_words(output_console(), text)
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert " ".join(lines) == text.strip()
        assert not any(line.startswith(("%", "KiB", "points")) for line in lines)
        assert max(map(len, lines)) <= width
