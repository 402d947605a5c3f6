"""What is said while a command works: in a file, and on a terminal."""

import io
import time
from collections.abc import Callable

from rich.console import Console

from sgq_auto.reporting.terminal.stage_lines import LogLines, MovingLine
from sgq_auto.searching.command_stages import Stage


def logged() -> tuple[io.StringIO, Callable[[], list[str]]]:
    file = io.StringIO()
    return file, lambda: file.getvalue().splitlines()


def test_a_short_stage_has_no_line() -> None:
    file, lines = logged()
    view = LogLines(Console(file=file), first_seconds=5)
    for text in ("one", "two", "three"):
        view.show(Stage(text))
    view.close()
    assert lines() == []


def test_a_long_stage_has_few_lines_at_growing_intervals() -> None:
    file, lines = logged()
    view = LogLines(Console(file=file), first_seconds=0.01, pause_seconds=0.05, growth=1.0)
    began = time.monotonic()
    for done in range(60):
        view.show(Stage("training", done, 60))
        time.sleep(0.02)
    spent = time.monotonic() - began
    view.close()
    found = lines()
    assert found[0].startswith("training: ")
    assert found[0].endswith(" of 60")
    # Doubling pauses: 0.05, 0.1, 0.2, 0.4, 0.8 s and so on.
    assert 3 <= len(found) <= 8 + spent
    counts = [int(line.split()[1]) for line in found]
    assert counts == sorted(set(counts))


def test_a_stage_that_does_not_move_is_said_again_with_its_time() -> None:
    file, lines = logged()
    view = LogLines(Console(file=file), first_seconds=0.01, pause_seconds=0.1)
    view.show(Stage("training", 0, 4), "none yet")
    deadline = time.monotonic() + 10
    while len(lines()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    view.close()
    first, again, *_ = lines()
    assert first == "training: 0 of 4 (none yet)"
    assert again == "training: 0 of 4, 0 s (none yet)"


def test_that_kernels_compile_is_said_once_it_takes_a_while() -> None:
    file, lines = logged()
    view = LogLines(Console(file=file), first_seconds=0.05, pause_seconds=60)
    view.show(Stage("training"))
    time.sleep(0.3)
    view.show(Stage("training", note="compiling, once"))
    time.sleep(0.3)
    view.show(Stage("training"))
    view.show(Stage("training", note="compiling, once"))
    time.sleep(0.3)
    view.close()
    assert lines() == ["training", "training (compiling, once)"]


def test_after_the_end_nothing_is_said() -> None:
    file, lines = logged()
    view = LogLines(Console(file=file), first_seconds=0.01, pause_seconds=0.02)
    view.show(Stage("one"))
    view.close()
    before = lines()
    time.sleep(0.1)
    assert lines() == before
    view.show(Stage("two"))
    time.sleep(0.2)
    view.close()
    assert "two" in lines()[-1]


def test_a_terminal_shows_text_count_and_what_is_known_and_leaves_nothing() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80)
    view = MovingLine(console)
    view.show(Stage("confirming 8 points", 0, 5))
    view.show(Stage("refining: trial 3, round 1 of at most 4", 2, 5), "best 16.0x")
    time.sleep(0.3)
    view.close()
    text = file.getvalue()
    assert "refining: trial 3, round 1 of at most 4" in text
    assert "2/5" in text
    assert "best 16.0x" in text
    assert "\x1b[?25h" in text  # The cursor is back.
    view.close()
