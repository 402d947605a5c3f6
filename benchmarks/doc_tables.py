"""Writes measured tables and figures into the README and ``docs/`` from ``benchmarks/results``.

    python benchmarks/doc_tables.py            # rewrites the pages
    python benchmarks/doc_tables.py --check    # status 1 if a page would change

A page marks them with comments, which a reader does not see. A table of ``result_tables.py``:

    <!-- table: NAME -->
    ...
    <!-- end -->

A figure within a sentence, by its file, row, field and format (:func:`kept_rows.figure`):

    <!-- figure: FILE[KEY=VALUE,...].FIELD:FORMAT -->12.3<!-- end -->

A table or a paragraph whose rows are not kept begins with ``<!-- not kept: SCRIPT -->``; the
script prints them.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from kept_rows import figure
from result_tables import TABLES

_ROOT = Path(__file__).resolve().parents[1]
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(^<!-- end -->)", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(<!-- figure: (.+?) -->).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Rewrite the pages, or only check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    changed = False
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = rewritten(text)
        if new == text:
            continue
        changed = True
        print(f"{page.relative_to(_ROOT)} {'differs' if check else 'is rewritten'}")
        if not check:
            page.write_text(new, encoding="utf-8")
    if check and changed:
        raise SystemExit(1)


def pages() -> Iterator[Path]:
    """The README and every page of ``docs/``."""
    yield _ROOT / "README.md"
    yield from sorted((_ROOT / "docs").glob("*.md"))


def rewritten(text: str) -> str:
    """A page with its marked tables and figures as the kept rows have them.

    Raises:
        SystemExit: If a mark names no table, or no figure.
    """
    text = _TABLE.sub(lambda m: m[1] + "\n".join(_table(m[2])) + "\n" + m[3], text)
    return _INLINE.sub(lambda m: m[1] + figure(m[2]) + m[3], text)


def _table(name: str) -> list[str]:
    if name not in TABLES:
        raise SystemExit(f"{name}: there is no such table; there are {', '.join(TABLES)}")
    return TABLES[name]()


if __name__ == "__main__":
    main()
