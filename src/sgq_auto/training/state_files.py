"""Weights that users have saved: state dicts of safetensors and of ``torch.save``.

Nothing in a file is called, and what a file costs to read is bounded by its size: tensors are
mapped, and only those that a model needs are read later.
"""

import io
import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sgq_auto.errors import InputError
from sgq_auto.text.safe_text import one_line, printable

# Entries that people keep a state dict in, beside an epoch, an optimizer's state and so on. The
# first that is there counts; of others, one that is alone.
_ENTRIES = ("state_dict", "model_state_dict", "model")
_DEEPEST = 3
# Of the part of a file that says what its tensors are: tens of thousands of them.
_MOST_HEADER_BYTES = 4 << 20
_MOST_OLD_BYTES = 1 << 28
_HOW_TO_SAVE = "save the weights alone, torch.save(model.state_dict(), PATH)"
# How files begin; those of safetensors with the length of their header, which is JSON.
_ZIP, _PICKLE, _JSON = b"PK\3\4", b"\x80", b"{"
# In the format before torch 1.6: this number, a version and a machine, then what was saved.
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_PICKLES = 4
# They make memory out of a number.
_COSTLY = ("builtins bytearray", "__builtin__ bytearray")
_REFUSED = re.compile(r"GLOBAL (\S+)")
_UNREADABLE = (
    *(pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile, struct.error),
    *(RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
)


@dataclass(frozen=True, eq=False)
class StoredState:
    """What a file holds.

    Attributes:
        tensors: The tensors by name, mapped and not read.
        said: What was taken of it, for people.
    """

    tensors: Mapping[str, Tensor]
    said: tuple[str, ...] = ()


def read_state(path: Path) -> StoredState:
    """Read a state dict of safetensors or ``torch.save``; the content says which it is.

    Raises:
        InputError: If it is none, damaged, or holds more than tensors; one line that names it.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise InputError(f"{path}: {what}; give the file of a trained model's weights")
    with _naming(path):
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == _JSON or not start.startswith((_ZIP, _PICKLE)):
            return StoredState(_read_safetensors(path, start))
        content = _read_zip(path) if start.startswith(_ZIP) else _read_old(path)
    return _state_in(content, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except _UNREADABLE as error:
        refused = _REFUSED.search(str(error))
        if refused:
            raise InputError(
                f"{path}: it holds more than tensors ({printable(refused[1]):.80}), like a whole "
                f"pickled model; code from a file is not run: {_HOW_TO_SAVE}"
            ) from error
        if "TorchScript" in str(error):
            raise InputError(f"{path}: a TorchScript archive; {_HOW_TO_SAVE}") from error
        raise InputError(
            f"{path}: no weights of safetensors or torch.save, or damaged "
            f"({type(error).__name__}: {one_line(error):.120})"
        ) from error


def _read_safetensors(path: Path, start: bytes) -> dict[str, Tensor]:
    if start[8:] == _JSON and int.from_bytes(start[:8], "little") > _MOST_HEADER_BYTES:
        raise InputError(f"{path}: its header is larger than that of any weights")
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _read_zip(path: Path) -> Any:
    """What ``torch.save`` wrote, its tensors mapped."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise InputError(f"{path}: it is compressed, which torch.save does not; {_HOW_TO_SAVE}")
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise InputError(f"{path}: its parts overlap, which those of torch.save do not")
        for info in infos:
            if info.filename.endswith("/data.pkl"):
                if info.file_size > _MOST_HEADER_BYTES:
                    raise _too_much(path)
                _check_pickle(io.BytesIO(archive.read(info)), path)
    if path.name.endswith(".safetensors"):
        return _load(path)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def _read_old(path: Path) -> Any:
    """The same in the format before torch 1.6, which is several pickles."""
    if path.stat().st_size > _MOST_OLD_BYTES:
        raise InputError(f"{path}: too large for torch's old format; {_HOW_TO_SAVE}")
    with path.open("rb") as file:
        first = next((a for _, a, _ in pickletools.genops(file) if type(a) is int and a > 9), 0)
        if first != _OLD_MAGIC:
            raise InputError(f"{path}: a pickle of Python's own, which is not read; {_HOW_TO_SAVE}")
        file.seek(0)
        for _ in range(_OLD_PICKLES):
            _check_pickle(file, path)
    return _load(path)


def _load(path: Path) -> Any:
    """What ``torch.save`` wrote, read whole; of a path, torch goes by the name of the file."""
    with path.open("rb") as file:
        return torch.load(file, map_location="cpu", weights_only=True)


def _check_pickle(file: IO[bytes], path: Path) -> None:
    """Read the commands of a pickle without following them.

    What torch would refuse it refuses itself, by the name of what it would call.
    """
    began = file.tell()
    for command, argument, _ in pickletools.genops(file):
        if command.name == "GLOBAL" and argument in _COSTLY:
            raise InputError(f"{path}: it holds more than tensors (bytearray); {_HOW_TO_SAVE}")
        if file.tell() - began > _MOST_HEADER_BYTES:
            raise _too_much(path)


def _too_much(path: Path) -> InputError:
    return InputError(f"{path}: it holds far more than tensors; {_HOW_TO_SAVE}")


def _state_in(content: Any, path: Path) -> StoredState:
    """The state dict in what ``torch.save`` wrote, found by the names of entries."""
    entries: list[str] = []
    while not _has_tensors(content):
        if not isinstance(content, Mapping) or len(entries) == _DEEPEST:
            raise _no_state(content, entries, path)
        name = _entry(content, path)
        if name is None:
            raise _no_state(content, entries, path)
        entries.append(name)
        content = content[name]
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    others = [printable(str(k)) for k, v in content.items() if not isinstance(v, Tensor)]
    said = [f"its entry {printable('.'.join(entries))!r}"] if entries else []
    said += [f"without {some(others)}, no tensor{'s' * (len(others) > 1)}"] if others else []
    return StoredState(tensors, tuple(said))


def _has_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())


def _may_have_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(v, Tensor | Mapping) for v in value.values()
    )


def _entry(content: Mapping[Any, Any], path: Path) -> str | None:
    """The entry that a state dict is in; ``None`` where there is none.

    Raises:
        InputError: If there are several, and none is called as people call it.
    """
    named = [name for name in _ENTRIES if _may_have_tensors(content.get(name))]
    if named:
        return named[0]
    held = [name for name, value in content.items() if _has_tensors(value)]
    if len(held) > 1:
        raise InputError(
            f"{path}: weights in several entries ({some([printable(str(n)) for n in held])}); "
            f"{_HOW_TO_SAVE}"
        )
    return held[0] if held else None


def _no_state(content: Any, entries: list[str], path: Path) -> InputError:
    where = f"its entry {printable('.'.join(entries))!r}" if entries else "it"
    if isinstance(content, Mapping):
        names = some([printable(str(name)) for name in content])
        what = f"has no tensors, but {names}" if content else "is empty"
    else:
        what = f"is a {type(content).__name__}"
    return InputError(f"{path}: {where} {what}; {_HOW_TO_SAVE}")


def some(names: list[str], most: int = 3) -> str:
    """A few names, then how many more there are."""
    few = ", ".join(name[:80] for name in names[:most])
    return few if len(names) <= most else f"{few} and {len(names) - most:,} more"
