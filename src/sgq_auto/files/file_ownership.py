"""Whose files and folders are: code and keys are taken from this user and from root alone.

Where a system has no numeric owners (Windows), the folders of a user are guarded by the system.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_PRIVATE = 0o700
_MOST_LINKS = 40


def user_folder(variable: str, default: str) -> Path | None:
    """The folder ``sgq_auto`` of this user in one of the XDG base directories, private to them.

    It is made where it is missing. A relative path in the variable is ignored, as the standard
    demands: it would be another folder in every folder that a command starts in.

    Args:
        variable: The environment variable, like ``XDG_CACHE_HOME``.
        default: What stands for it, below the home folder, like ``.cache``.

    Returns:
        ``None`` where there is none that only this user can write.
    """
    base = Path(os.environ.get(variable, ""))
    with suppress(OSError, RuntimeError):
        base = base if base.is_absolute() else Path.home() / default
        return _private(base / "sgq_auto") if base.is_absolute() else None
    return None


def is_own(path: Path) -> bool:
    """Whether a path is absolute, and nobody but this user and root can change what it leads to.

    Every folder and link on the way is looked at. In a folder like ``/tmp``, where nobody can
    rename what is another's, others may have files of their own beside it.
    """
    if not hasattr(os, "getuid"):
        return path.is_absolute()
    try:
        steps = list(_steps(path))
    except OSError:
        return False
    *above, last = steps
    return (
        path.is_absolute()
        and all(_is_ours(info) and (_closed(info) or _sticky(info)) for info in above)
        and _is_ours(last)
        and _closed(last)
    )


def is_beside_source(folder: Path, source: Path) -> bool:
    """Whether a folder of compiled code may be changed by those alone who may change its source.

    Whoever can write the source can run any code here anyway; others must not get there by its
    compiled twin.
    """
    if not hasattr(os, "getuid"):
        return folder.is_absolute()
    try:
        own, home = folder.lstat(), source.parent.stat()
        files = [entry.stat(follow_symlinks=False) for entry in os.scandir(folder)]
    except OSError:
        return False
    owners = {0, os.getuid(), home.st_uid, source.stat().st_uid}
    open_bits = _OTHERS & ~home.st_mode
    same_group = own.st_gid == home.st_gid or not own.st_mode & stat.S_IWGRP
    return (
        folder.is_absolute()
        and stat.S_ISDIR(own.st_mode)
        and same_group
        and not own.st_mode & open_bits
        and all(info.st_uid in owners for info in (own, *files))
    )


def read_own(path: Path, *, source: Path | None = None) -> bytes:
    """The bytes of a file of this user's, of root's, or of whoever owns ``source``.

    Raises:
        OSError: If it cannot be read, is a link, belongs to others or can be written by them.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        info = os.fstat(file.fileno())
        if hasattr(os, "getuid"):
            owners = {0, os.getuid(), *([] if source is None else [source.stat().st_uid])}
            if (
                not stat.S_ISREG(info.st_mode)
                or info.st_uid not in owners
                or info.st_mode & _OTHERS
            ):
                raise PermissionError(f"{path} is not this user's alone")
        return file.read()


def _private(folder: Path) -> Path | None:
    """The folder, made if need be, if only this user can get in."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    for each in reversed(missing):
        each.mkdir(_PRIVATE, exist_ok=True)
    if not is_own(folder):
        return None
    if hasattr(os, "getuid") and folder.stat().st_uid == os.getuid():
        folder.chmod(_PRIVATE)
    return folder


def _steps(path: Path) -> Iterator[os.stat_result]:
    """Every folder and link on the way to what a path leads to."""
    here, links = Path(path.anchor), 0
    yield here.lstat()
    ahead = list(path.parts[1:])
    while ahead:
        part = ahead.pop(0)
        step = here.parent if part == ".." else here / part
        info = step.lstat()
        yield info
        if not stat.S_ISLNK(info.st_mode):
            here = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(f"{path}: too many links")
        target = step.readlink()
        here = Path(target.anchor) if target.is_absolute() else here
        ahead = [*target.parts[target.is_absolute() :], *ahead]


def _is_ours(info: os.stat_result) -> bool:
    return info.st_uid in (0, os.getuid())


def _closed(info: os.stat_result) -> bool:
    """Whether others cannot write; a link is as its owner left it."""
    if stat.S_ISLNK(info.st_mode):
        return True
    group = info.st_mode & stat.S_IWGRP and not _is_private_group(info.st_gid)
    return not group and not info.st_mode & stat.S_IWOTH


def _sticky(info: os.stat_result) -> bool:
    return stat.S_ISDIR(info.st_mode) and bool(info.st_mode & stat.S_ISVTX)


def _is_private_group(gid: int) -> bool:
    """Whether a group is this user's own, as many systems give each user one."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {user.pw_name}
    return alone and gid in (0, user.pw_gid) and group.gr_name == user.pw_name
