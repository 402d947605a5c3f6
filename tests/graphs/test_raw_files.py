"""Raw files of PyG's datasets: linked where they are, kept where they were downloaded."""

from pathlib import Path

import pytest

from sgq_auto.graphs.sources.pyg.raw_files import has_files, scratch_root


def test_files_that_are_there_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    raw = tmp_path / "Family" / "Name" / "raw"
    raw.mkdir(parents=True)
    (raw / "a.txt").write_text("1")
    with scratch_root(tmp_path, raw) as root:
        assert (root / "Family" / "Name" / "raw" / "a.txt").read_text() == "1"
        (root / "Family" / "Name" / "processed").mkdir()
    assert not (raw.parent / "processed").exists()


def test_what_is_downloaded_is_kept(tmp_path: Path) -> None:
    raw = tmp_path / "Family" / "Name" / "raw"
    with scratch_root(tmp_path, raw) as root:
        downloaded = root / "Family" / "Name" / "raw"
        downloaded.mkdir()
        (downloaded / "a.txt").write_text("1")
    assert has_files(raw)
    assert (raw / "a.txt").read_text() == "1"


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "Family" / "Name" / "raw"
    with pytest.raises(OSError, match="no network"), scratch_root(tmp_path, raw):
        raise OSError("no network")
    assert not has_files(raw)
