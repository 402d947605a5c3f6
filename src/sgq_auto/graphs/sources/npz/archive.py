"""NumPy archives, of which an array is read only when it is asked for and known to fit."""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.sources.memory_needed import check_memory

_SUFFIX = ".npy"
# What NumPy raises for files that are no archive, cut short, damaged or pickled.
_UNREADABLE = (
    *(ValueError, TypeError, OSError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, SyntaxError, tokenize.TokenError),
)


@dataclass(frozen=True)
class ArrayHeader:
    """What an archive says of an array before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def num_bytes(self) -> int:
        """What the array takes in memory, known before it is read."""
        return math.prod(self.shape) * self.dtype.itemsize


class NpzArchive:
    """The arrays of a ``.npz`` file; object arrays, which are pickles, are never read.

    Attributes:
        path: The file.
        headers: Shapes and types by name, of every array.
    """

    def __init__(self, path: Path) -> None:
        """Read the headers.

        Raises:
            InputError: If it is no archive of arrays, or a damaged one.
        """
        self.path = path
        with self._readable(), zipfile.ZipFile(path) as archive:
            members = [i for i in archive.infolist() if i.filename.endswith(_SUFFIX)]
            names = [info.filename.removesuffix(_SUFFIX) for info in members]
            if len(set(names)) < len(names) or len(members) < len(archive.infolist()):
                raise ValueError("it holds an array twice, or what is no array")
            self.headers = {
                name: _header(archive, info) for name, info in zip(names, members, strict=True)
            }

    def read(self, names: list[str]) -> dict[str, np.ndarray[Any, Any]]:
        """Read arrays.

        Raises:
            InputError: If they are damaged, hold objects, or take more memory than there is.
        """
        total = sum(self.headers[name].num_bytes for name in names)
        check_memory(total, f"{self.path}: what it unpacks to")
        with self._readable(), np.load(self.path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except _UNREADABLE as error:
            raise InputError(
                f"{self.path}: not a NumPy archive of plain arrays ({' '.join(str(error).split())}"
                "); write it with numpy.savez"
            ) from error


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> ArrayHeader:
    """The header of one array, which must announce as many bytes as there are."""
    with archive.open(info) as file:
        shape, dtype = _read_header(file)
        header = ArrayHeader(tuple(int(n) for n in shape), dtype)
        room = info.file_size - file.tell()
    if not dtype.hasobject and (min(shape, default=0) < 0 or header.num_bytes != room):
        raise ValueError(f"{info.filename} announces {header.num_bytes:,} bytes and has {room:,}")
    return header


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        # 2.0 differs in the length of the header, 3.0 in its encoding, which matters to names of
        # fields alone.
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype
