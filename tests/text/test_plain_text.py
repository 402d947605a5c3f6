"""Text for streams that cannot show every character."""

import io

import pytest

from sgq_auto.text.plain_text import plain_text, tolerate


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"81.5 +/- 0.6 -> caf\\xe9 \\u65e5 -"),
        ("latin-1", b"81.5 \xb1 0.6 -> caf\xe9 \\u65e5 -"),
        ("cp1252", b"81.5 \xb1 0.6 -> caf\xe9 \\u65e5 -"),
        ("utf-8", "81.5 ± 0.6 → café 日 ━".encode()),
    ],
)
def test_a_stream_takes_any_text(encoding: str, expected: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    tolerate(stream)
    stream.write("81.5 ± 0.6 → café 日 ━")
    stream.flush()
    assert raw.getvalue() == expected


def test_bytes_that_are_no_text_are_written_as_they_are() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    tolerate(stream)
    stream.write(b"caf\xe9.npz".decode("utf-8", "surrogateescape"))
    stream.flush()
    assert raw.getvalue() == b"caf\xe9.npz"


def test_only_what_an_encoding_lacks_is_written_plainly() -> None:
    assert plain_text("± é …", "ascii") == "+/- é ..."
    assert plain_text("± é …", "latin-1") == "± é ..."
    assert plain_text("± é …", "utf-8") == "± é …"
    assert plain_text("±", "no such encoding") == "±"
