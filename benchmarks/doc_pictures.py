"""The pictures in ``docs/`` that show one search: its front, and the head of its report.

    python -m sgq_auto.search hydra.run.dir=front | tee log.txt
    python benchmarks/doc_pictures.py front --log log.txt

The second needs Chromium. It also keeps what the pages show of the log, wrapped, in
``benchmarks/results/front.txt``; ``doc_tables.py`` then writes it into the README and
``docs/reading_a_front.md``.
"""

import argparse
import shutil
import subprocess
import textwrap
from pathlib import Path

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_FRONT = Path(__file__).resolve().parent / "results" / "front.txt"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Make both pictures from the output folder of a search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="output folder of a search")
    parser.add_argument("--out", type=Path, default=_DOCS, help="where the pictures go")
    parser.add_argument("--log", type=Path, help="what the search printed, kept for the pages")
    given = parser.parse_args()
    shutil.copy(given.folder / "front.png", given.out / "front.png")
    take_picture(given.folder / "report.html", given.out / "report.png")
    if given.log is not None:
        lines = shown_lines(given.log.read_text(encoding="utf-8"))
        _FRONT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def shown_lines(log: str) -> list[str]:
    """The table and the sentences about the recommended model, long lines wrapped."""
    lines = log.splitlines()
    first = next(k for k, line in enumerate(lines) if line.split()[:2] == ["bits", "resident"])
    last = next(k for k, line in enumerate(lines) if line.startswith(("Artifact", "No artifact")))
    shown = []
    for line in lines[first:last]:
        is_sentence = line[:1].isalpha()
        wrapped = textwrap.wrap(line, 96, subsequent_indent="  ") if is_sentence else [line]
        shown += [part.rstrip() for part in wrapped]
    return shown


def take_picture(page: Path, picture: Path, width: int = 1000, height: int = 1800) -> None:
    """Save what a browser shows of a page, from its top.

    Args:
        page: The page.
        picture: The file, a PNG.
        width: Width of the browser's window, pixels.
        height: Its height.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(_BROWSERS)} is installed")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    options += [f"--window-size={width},{height}", f"--screenshot={picture.resolve()}"]
    subprocess.run([browser, *options, page.resolve().as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
