"""Tables and figures of the README and ``docs/`` are those of ``benchmarks/results``.

``benchmarks/doc_tables.py`` writes them between comments. Measurements whose rows are not kept are
marked, so that none looks checked that is not.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
PAGES = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
# A ratio, a value with its uncertainty, a table of numbers: what only a measurement tells.
_MEASURED = re.compile(
    r"\d[\d.,]*x\b|\d ± \d|^\|.*\| [-+]?[\d.,]+ \| [-+]?[\d.,]+ \|", re.MULTILINE
)
# These two pages speak of settings and examples nowhere, so points are measured too.
_POINTS = re.compile(_MEASURED.pattern + r"|\d\.\d points", re.MULTILINE)
_ALL_MEASURED = ("measurements.md", "how_it_works.md")
_MARKED = re.compile(r"<!-- (table|figure): .*?<!-- end -->", re.DOTALL)
_NOT_KEPT = "<!-- not kept: "


def doc_tables(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARKS / "doc_tables.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_pages_show_the_rows_that_are_kept() -> None:
    done = doc_tables("--check")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}run benchmarks/doc_tables.py"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<!-- table: throughput -->\n| old |\n<!-- end -->\n",
            "| the workers of a search | 17.6 |\n<!-- end -->\n",
        ),
        (
            "<!-- figure: throughput[side=here].trials_per_second:.1f -->9<!-- end --> a second",
            "-->17.6<!-- end --> a second",
        ),
        (
            "<!-- figure: paper_table[dataset=mean].drop:+.2f --><!-- end -->",
            "<!-- figure: paper_table[dataset=mean].drop:+.2f -->-0.56<!-- end -->",
        ),
    ],
)
def test_a_wrong_table_or_figure_is_replaced(
    page: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import doc_tables

    new = doc_tables.rewritten(page)
    assert new.endswith(expected)
    assert doc_tables.rewritten(new) == new


@pytest.mark.parametrize(
    "mark",
    [
        "<!-- table: unknown -->\n<!-- end -->\n",
        "<!-- figure: throughput[side=nobody].trials_per_second:.1f --><!-- end -->",
        "<!-- figure: paper_table[dataset=cora].drop:.1f --><!-- end -->",
        "<!-- figure: throughput --><!-- end -->",
    ],
)
def test_a_mark_that_names_no_row_is_an_error(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import doc_tables

    with pytest.raises(SystemExit):
        doc_tables.rewritten(mark)


@pytest.mark.parametrize("page", PAGES)
def test_measured_figures_are_marked(page: str) -> None:
    """Outside code, each is between marks, or its paragraph or table is marked as not kept."""
    text = re.sub(r"^```.*?^```$", "", PAGES[page].read_text(), flags=re.DOTALL | re.MULTILINE)
    paragraphs = _MARKED.sub("", text).split("\n\n")
    measured = _POINTS if page in _ALL_MEASURED else _MEASURED
    unmarked = [p for p in paragraphs if measured.search(p) and not p.startswith(_NOT_KEPT)]
    assert not unmarked


@pytest.mark.parametrize("page", PAGES)
def test_marks_are_well_formed(page: str) -> None:
    text = PAGES[page].read_text()
    assert len(re.findall("<!-- (?:table|figure):", text)) == len(_MARKED.findall(text))
    assert text.count("<!-- end -->") == len(_MARKED.findall(text))
    # Markdown takes a line that begins with a comment for HTML, and ends the paragraph there.
    assert not re.search(r"^<!-- figure:", text, re.MULTILINE)


def test_every_kept_file_is_shown() -> None:
    text = "".join(path.read_text() for path in PAGES.values())
    tables = (BENCHMARKS / "result_tables.py").read_text() + (
        BENCHMARKS / "readme_table.py"
    ).read_text()
    kept = list((BENCHMARKS / "results").iterdir())
    assert kept
    for path in kept:
        assert (
            f'"{path.stem}"' in tables
            or f"figure: {path.stem}[" in text
            or (f'"{path.name}"' in tables)
        ), path.name


def test_scripts_that_pages_name_exist() -> None:
    named = re.compile(r"benchmarks/(\w+\.py)")
    scripts = [(name, s) for name, path in PAGES.items() for s in named.findall(path.read_text())]
    assert scripts
    for name, script in scripts:
        assert (BENCHMARKS / script).is_file(), f"{name}: {script}"


def test_what_a_search_prints_is_kept_from_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import doc_pictures

    kept = (BENCHMARKS / "results" / "front.txt").read_text().splitlines()
    log = ["a study: 14 bit-widths", *kept, "Artifact: path (61.7 KiB)", "Report: path"]
    lines = doc_pictures.shown_lines("\n".join(log))
    assert lines[0].split()[:2] == ["bits", "resident"]
    table = next(k for k, line in enumerate(kept) if line[:1].isalpha())
    assert table > 3
    assert lines[:table] == kept[:table]
    assert not any(line.startswith(("Artifact", "Report", "a study")) for line in lines)
    assert max(len(line) for line in lines if line[:1].isalpha()) <= 96
