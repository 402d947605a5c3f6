"""A packed model as a WebAssembly module, by a compiler of the user's own."""

import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from sgq_auto.errors import InputError
from sgq_auto.packed.device.write_c import write_c
from sgq_auto.packed.runtime.packed_model import PackedModel

_FLAGS = (
    *("--target=wasm32", "-std=c99", "-O2", "-mbulk-memory", "-fno-math-errno"),
    # Only headers of the compiler and of this package: there is no standard library.
    *("-nostdlib", "-nostdlibinc"),
    *("-Wl,--no-entry", "-Wl,--allow-undefined", "-Wl,--gc-sections", "-Wl,--strip-all"),
)
_HOW = "on Debian: apt install clang lld; on macOS: brew install llvm lld"


def webassembly(model: PackedModel) -> bytes:
    """The module of a model, which a page can run: the C model compiled by clang.

    Its exports are functions: ``predict`` and, of a model with a graph and features of nodes,
    ``predict_node``; and ``results``, ``features``, ``sources``, ``targets`` and ``weights`` (of
    edges), which give the addresses of what they say. It imports the functions of ``Math`` that the
    model needs, by the names that C has for them.

    Args:
        model: The packed model.

    Raises:
        UnsupportedInCError: If the model has what C cannot do yet.
        InputError: If there is no compiler for it, or it fails.
    """
    missing = [name for name in ("clang", "wasm-ld") if shutil.which(name) is None]
    if missing:
        raise InputError(f"WebAssembly needs {' and '.join(missing)}, not found here; {_HOW}")
    with (
        tempfile.TemporaryDirectory(prefix="sgq-auto-") as scratch,
        as_file(files("sgq_auto.packed.device") / "c" / "wasm") as page,
    ):
        folder = Path(scratch)
        write_c(model, folder)
        sources = [folder / "sgq_model.c", folder / "sgq_runtime.c", page / "page.c"]
        made = folder / "model.wasm"
        words = ["clang", *_FLAGS, f"-I{page}", f"-I{folder}", *map(str, sources), "-o", str(made)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"clang could not make WebAssembly: {done.stderr.strip()[:300]!r}")
        return made.read_bytes()
