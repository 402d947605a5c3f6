"""Whose files and folders are trusted."""

import os
from pathlib import Path

import pytest

from sgq_auto.files.file_ownership import is_beside_source, is_own, read_own, user_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners are of POSIX")
_STRANGER = 54321


def _give_away(path: Path) -> None:
    """Make a path somebody else's; only root can."""
    if os.getuid():
        pytest.skip("only root can give files away")
    os.chown(path, _STRANGER, _STRANGER, follow_symlinks=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    (tmp_path / "home").mkdir(0o755)
    return tmp_path / "home"


def test_the_users_folder_is_made_and_private(home: Path) -> None:
    before = os.umask(0)
    try:
        folder = user_folder("XDG_CACHE_HOME", ".cache")
    finally:
        os.umask(before)
    assert folder == home / "cache" / "sgq_auto"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)  # As an earlier version made it.
    assert user_folder("XDG_CACHE_HOME", ".cache") == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_relative_folder_is_not_the_users(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    for relative in ("here", "./here", "", "~/here"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert user_folder("XDG_CACHE_HOME", ".cache") == home / ".cache" / "sgq_auto"
    assert not (tmp_path / "here").exists()
    monkeypatch.setenv("HOME", "relative")
    assert user_folder("XDG_CACHE_HOME", ".cache") is None
    assert not is_own(Path("here"))


@pytest.mark.parametrize("place", ["cache", "cache/sgq_auto"])
@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_folder_that_others_write_is_nobodys(home: Path, place: str, mode: int) -> None:
    (home / "cache" / "sgq_auto").mkdir(parents=True)
    (home / place).chmod(mode)
    assert user_folder("XDG_CACHE_HOME", ".cache") is None


@pytest.mark.parametrize("place", ["", "cache", "cache/sgq_auto"])
def test_a_folder_of_somebody_else_is_nobodys(home: Path, place: str) -> None:
    (home / "cache" / "sgq_auto").mkdir(parents=True)
    _give_away(home / place)
    assert user_folder("XDG_CACHE_HOME", ".cache") is None


def test_a_link_of_somebody_else_is_not_followed(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir(0o700)
    (home / "cache").symlink_to(target)
    assert user_folder("XDG_CACHE_HOME", ".cache") is not None
    _give_away(home / "cache")
    assert user_folder("XDG_CACHE_HOME", ".cache") is None


def test_a_link_into_a_folder_of_somebody_else_is_not_followed(home: Path, tmp_path: Path) -> None:
    """Also where a link of theirs leads back to a folder of this user's: they can change it."""
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    theirs.mkdir(0o755)
    mine.mkdir(0o700)
    (theirs / "back").symlink_to(mine)
    (home / "cache").symlink_to(Path("..") / "theirs" / "back")
    assert user_folder("XDG_CACHE_HOME", ".cache") is not None
    _give_away(theirs)
    assert user_folder("XDG_CACHE_HOME", ".cache") is None


def test_links_in_a_circle_are_no_folder(home: Path) -> None:
    (home / "cache").symlink_to(home / "cache")
    assert user_folder("XDG_CACHE_HOME", ".cache") is None


def test_in_a_shared_folder_like_tmp_only_what_is_ones_own_counts(home: Path) -> None:
    home.chmod(0o1777)
    assert user_folder("XDG_CACHE_HOME", ".cache") is not None
    home.chmod(0o777)
    assert user_folder("XDG_CACHE_HOME", ".cache") is None
    (home / "cache").chmod(0o1777)
    home.chmod(0o755)
    (home / "cache" / "sgq_auto").chmod(0o1777)
    assert not is_own(home / "cache" / "sgq_auto")


def test_compiled_code_beside_its_source_is_as_safe_as_that(tmp_path: Path) -> None:
    source, folder = tmp_path / "kernel.py", tmp_path / "__pycache__"
    source.touch()
    folder.mkdir()
    assert is_beside_source(folder, source)
    folder.chmod(0o777)
    assert not is_beside_source(folder, source)
    folder.chmod(0o755)
    (folder / "kernel.nbi").touch()
    _give_away(folder / "kernel.nbi")
    assert not is_beside_source(folder, source)
    _give_away(source)  # Who writes the source runs code here as it is.
    assert is_beside_source(folder, source)


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    source, folder = tmp_path / "kernel.py", tmp_path / "__pycache__"
    source.touch()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert not is_beside_source(folder, source)


def test_a_file_is_read_if_it_is_ones_own(tmp_path: Path) -> None:
    path, link = tmp_path / "code.o", tmp_path / "link.o"
    path.write_bytes(b"code")
    path.chmod(0o644)
    link.symlink_to(path)
    assert read_own(path) == b"code"
    with pytest.raises(OSError, match="link"):
        read_own(link)
    path.chmod(0o666)
    with pytest.raises(PermissionError, match="alone"):
        read_own(path)
    path.chmod(0o600)
    _give_away(path)
    with pytest.raises(PermissionError, match="alone"):
        read_own(path)
    assert read_own(path, source=path) == b"code"
