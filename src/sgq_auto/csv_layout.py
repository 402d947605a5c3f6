"""What is not the same in everybody's CSV files, and is seen from their first line."""

# With and without the byte order mark that spreadsheets write.
CSV_ENCODING = "utf-8-sig"

_SEPARATORS = ",;\t"


def separator_of(header: str) -> str:
    """The comma, semicolon or tab that the first line has most of."""
    return max(_SEPARATORS, key=header.count)
