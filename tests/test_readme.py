"""The README is short, shows what is kept, and begins with commands that are the real ones."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
_MOST_WORDS = 1000


def prose(text: str) -> str:
    """A page without its code blocks, tables, comments and the addresses of its links."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "    "))]
    return "\n".join(lines)


def test_it_is_read_in_a_few_minutes() -> None:
    assert len(prose(README).split()) < _MOST_WORDS


def test_what_does_not_count_as_a_word_is_code_tables_comments_and_addresses() -> None:
    page = "one <!-- no -->two\n```sh\nno\n```\n| no |\n\n    no\n[three](no)\n"
    assert prose(page).split() == ["one", "two", "[three]"]


def test_the_results_are_one_row_a_graph_and_the_harder_ratio_comes_first() -> None:
    table = re.search(r"<!-- table: readme -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert table is not None
    heading, _, *rows = table[1].splitlines()
    assert [row.split(" | ")[0] for row in rows] == [
        "| Cora",
        "| CiteSeer",
        "| PubMed",
        "| Computers",
    ]
    assert heading.index("than sparse fp32") < heading.index("than PyG")
    for row in rows:
        sparse, dense = (float(cell.rstrip("x")) for cell in row.split(" | ")[1:3])
        assert sparse < dense


def test_the_test_command_is_that_of_ci() -> None:
    commands = [
        line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv")
    ]
    assert len(commands) == 2
    assert commands[0].endswith("/python -m sgq_auto.search")
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    # What is printed, and bytecode, change nothing of what is installed.
    plain = [line.replace(" --quiet", "").replace(" --no-compile", "") for line in ci]
    for step in commands[1].split(" && "):
        assert step.replace(" --quiet", "") in plain


def test_every_page_is_found_from_here() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{page.name})" in README, page.name
