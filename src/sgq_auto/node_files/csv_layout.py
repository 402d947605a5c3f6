"""What is not the same in everybody's CSV files, and is seen from their first lines."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from pathlib import Path

from sgq_auto.node_files.csv_header import header_in_comment, is_data

# With and without the byte order mark that spreadsheets write.
CSV_ENCODING = "utf-8-sig"
# Between the columns of files without commas, semicolons and tabs: any run of spaces.
SPACES = " "

# Fields between tabs may hold commas, and fields between semicolons too; seldom the reverse.
_SEPARATORS = ("\t", ";", ",")
_MARKERS = ("#", "%")
_SEEN_LINES = 40
_FEW = 3
_UNNAMED = "unnamed"
_PANDAS_UNNAMED = "Unnamed: "


class Header(Enum):
    """Where the names of the columns are: in the first line, in a comment, or nowhere."""

    FIRST_LINE = auto()
    COMMENT = auto()
    NONE = auto()


@dataclass(frozen=True)
class CsvLayout:
    """How a CSV file is written.

    Attributes:
        separator: Comma, semicolon, tab, or :data:`SPACES`.
        names: Names of the columns, each once; 0, 1, 2 where there are none.
        unnamed: Which of them have no name in the header, like the index that pandas writes.
        header: Where the names stand.
        unsure: Whether the first line may be names as well as data.
        comment: What comment lines begin with; ``None`` where there are none.
        comments: Comment lines at the beginning.
    """

    separator: str
    names: tuple[str, ...]
    unnamed: frozenset[str] = frozenset()
    header: Header = Header.FIRST_LINE
    unsure: bool = False
    comment: str | None = None
    comments: int = 0

    @classmethod
    def of(cls, path: Path, header: bool | None = None) -> "CsvLayout":
        """Look at the first lines of a file.

        Args:
            path: The file, in UTF-8.
            header: Whether there is a header; ``None`` finds out.

        Raises:
            OSError: If it cannot be read.
            UnicodeDecodeError: If it is in another encoding.
            csv.Error: If a line is no CSV.
        """
        with path.open(encoding=CSV_ENCODING, newline="") as file:
            lines = [line for line in islice(file, _SEEN_LINES) if line.strip()]
            while lines and all(map(_is_comment, lines)) and (more := file.readline()):
                lines.append(more)
            lines += islice(file, _SEEN_LINES)
        marker = lines[0].lstrip()[0] if lines and _is_comment(lines[0]) else None
        comments = [line for line in lines if marker and line.lstrip().startswith(marker)]
        rows = [line for line in lines if line.strip() and line not in comments]
        if not rows:
            return cls(",", (), comment=marker, comments=len(comments))
        separator = _separator(rows)
        records = _records(rows, separator)
        kind, names, unsure = _header(records, comments, marker, separator, header)
        width = max(len(names), *(len(r) for r in records[1:]), 0) if len(records) > 1 else 0
        called, unnamed = _distinct(_filled(names, records, width))
        return cls(separator, called, unnamed, kind, unsure, marker, len(comments))

    def data_lines(self, path: Path) -> Iterator[str]:
        """The lines of the file that hold data, without comments and header."""
        header = self.header is Header.FIRST_LINE
        with path.open(encoding=CSV_ENCODING, newline="") as file:
            for line in file:
                comment = self.comment is not None and line.lstrip().startswith(self.comment)
                if comment or not line.strip():
                    continue
                if header:
                    header = False
                    continue
                yield line

    def records(self, path: Path) -> Iterator[list[str]]:
        """The rows of the file, a list of fields each."""
        return iter_records(self.data_lines(path), self.separator)


def iter_records(lines: Iterator[str], separator: str) -> Iterator[list[str]]:
    """The fields of lines, without the spaces around them."""
    if separator == SPACES:
        lines = (" ".join(line.split()) for line in lines)
    for row in csv.reader(lines, delimiter=separator, skipinitialspace=True):
        yield [field.strip() for field in row]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_MARKERS)


def _records(lines: Sequence[str], separator: str) -> list[list[str]]:
    return list(iter_records(iter(lines), separator))


def _separator(lines: Sequence[str]) -> str:
    """What is between the fields: the same number of times in every line, if that can be."""
    widths = {s: [len(r) for r in _records(lines, s)] for s in (*_SEPARATORS, SPACES)}
    if len(lines) > _FEW:  # The last line that was looked at may end inside quotes.
        widths = {separator: found[:-1] or found for separator, found in widths.items()}
    for separator, found in widths.items():
        if len(set(found)) == 1 and found[0] > 1:
            return separator
    for separator, (first, *others) in widths.items():
        # R names the rows, and not the column of their names.
        if set(others) == {first + 1}:
            return separator
    counts = {s: lines[0].count(s) for s in _SEPARATORS}
    if not any(counts.values()) and min(widths[SPACES]) > 1:
        return SPACES
    return max(",;\t", key=lines[0].count)


def _header(
    records: Sequence[Sequence[str]],
    comments: Sequence[str],
    marker: str | None,
    separator: str,
    header: bool | None,
) -> tuple[Header, list[str], bool]:
    """Where the names are, what they are, and whether the first line may be either."""
    first, rows = records[0], records[1:]
    data, unsure = is_data(first, rows, spaces=separator == SPACES)
    if header is None and marker is not None:
        names = _records([comments[-1].strip().lstrip(marker).strip()], separator)
        # "#id,label" is a header that other tools are to skip; "# from to" may be prose.
        meant = data or (len(comments) == 1 and not comments[0].lstrip()[1:2].isspace())
        if names and meant and header_in_comment(names[0], len(first)):
            return Header.COMMENT, names[0], False
    if header is True or (header is None and not data):
        return Header.FIRST_LINE, list(first), unsure and header is None
    return Header.NONE, [str(k) for k in range(len(first))], unsure and header is None


def _filled(names: list[str], records: Sequence[Sequence[str]], width: int) -> list[str]:
    """Names of all columns: of R's row names, or of an empty column after the last, none."""
    rows = records[1:]
    if len(names) + 1 != width or any(len(row) != width for row in rows):
        return names
    return [*names, ""] if all(row[-1] == "" for row in rows) else ["", *names]


def _distinct(names: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names that differ, as pandas makes them, and those of columns without one."""
    found: dict[str, None] = {}
    unnamed = set()
    for name in names:
        nameless = not name or name.startswith(_PANDAS_UNNAMED)
        stem = _UNNAMED if nameless else name
        each, count = stem, 0
        while each in found:
            count += 1
            each = f"{stem}.{count}"
        found[each] = None
        if nameless:
            unnamed.add(each)
    return tuple(found), frozenset(unnamed)
