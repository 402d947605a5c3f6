"""A packed model as a folder of C files."""

from importlib.resources import files
from pathlib import Path

from sgq_auto.errors import InputError
from sgq_auto.files.atomic_file import whole_file
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.device.memory_page import memory_page
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.device_footprint import DeviceFootprint

# Files that are the same for every model.
_RUNTIME = ("sgq_runtime.c", "sgq_runtime.h")
# A start for the user's own: written only where there is none.
_STARTS = ("example.c", "Makefile")
# What every file of ours says of itself.
_MARK = "sgq-auto"


def write_c(model: PackedModel, folder: str | Path) -> DeviceFootprint:
    """Write a packed model as portable C99, without a compiler.

    The folder then holds ``sgq_model.c`` and ``sgq_model.h`` (the tables), ``sgq_runtime.c`` and
    ``sgq_runtime.h`` (what predicts with them), ``MEMORY.md``, and, where they were not there
    before, ``example.c`` and ``Makefile``.

    Args:
        model: The model, with its graph.
        folder: Where the files go; it is made.

    Returns:
        The bytes of flash and RAM that the model takes.

    Raises:
        UnsupportedInCError: If the model has what C cannot do yet.
        InputError: If a file of another origin is in the way.
        OSError: If a file cannot be written.
    """
    folder, c_model = Path(folder), CModel(model)
    texts = {
        "sgq_model.c": c_model.source(),
        "sgq_model.h": c_model.header(),
        "MEMORY.md": memory_page(c_model),
    }
    texts |= {name: _shipped(name) for name in _RUNTIME}
    for name in texts:
        _check_own(folder / name)
    texts |= {name: _shipped(name) for name in _STARTS if not (folder / name).exists()}
    for name, text in texts.items():
        with whole_file(folder / name) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="\n")
    return c_model.footprint


def _shipped(name: str) -> str:
    return (files("sgq_auto.packed.device") / "c" / name).read_text(encoding="utf-8")


def _check_own(path: Path) -> None:
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise InputError(f"{path} is there and was not written by sgq-auto: take another folder")
