"""The compiled kernels as machine code, kept between processes.

Numba compiles the kernels once for a machine; what is kept is an object file that llvmlite alone
loads. A process that only predicts thus starts in a fraction of the time and memory that numba
itself takes.
"""

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import llvmlite
import llvmlite.binding as llvm

from sgq_auto.files.atomic_file import whole_file
from sgq_auto.files.file_ownership import is_beside_source, read_own, user_folder
from sgq_auto.packed.backends.signatures import SIGNATURES, c_function

_logger = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
_DIGEST_BYTES = 32
# Others may read what is beside the source, and nobody else may write it.
_MODE = 0o644


class Kernels(SimpleNamespace):
    """The kernels as functions, by name; see :mod:`sgq_auto.packed.backends.kernels`."""


@cache
def load_kernels() -> Kernels:
    """The kernels of this machine, compiled if that was not done before.

    Raises:
        ImportError: If they have to be compiled and numba is not installed.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(_object_code()))
    engine.finalize_object()
    found = {name: c_function(name, engine.get_function_address(name)) for name in SIGNATURES}
    # The engine owns the code.
    return Kernels(engine=engine, **found)


def _machine() -> llvm.TargetMachine:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
    )


def _object_code() -> bytes:
    name = f"kernels-{_fingerprint()}.o"
    folders = list(_folders())
    for folder, source in folders:
        with contextlib.suppress(OSError):
            data = read_own(folder / name, source=source)
            code = data[_DIGEST_BYTES:]
            if hashlib.sha256(code).digest() == data[:_DIGEST_BYTES]:
                return code
    from sgq_auto.packed.backends.translate import translate_kernels

    code = translate_kernels(_machine())
    for folder, _ in folders:
        with contextlib.suppress(OSError):
            _keep(folder / name, hashlib.sha256(code).digest() + code)
            return code
    if not folders:
        _logger.warning(
            "kernels are compiled anew by every process: no folder to keep them in is this "
            "user's alone; let XDG_CACHE_HOME be one"
        )
    return code


def _folders() -> Iterator[tuple[Path, Path | None]]:
    """Where code may be kept: beside Python's own, or with the user's where that is read-only.

    Like ``__pycache__``, these are folders that only who may run code here can write. Each comes
    with the source whose owner is trusted there too.
    """
    beside = _FOLDER / "__pycache__"
    if not beside.exists() or is_beside_source(beside, Path(__file__)):
        yield beside, Path(__file__)
    own = user_folder("XDG_CACHE_HOME", ".cache")
    if own is not None:
        yield own, None


def _keep(path: Path, data: bytes) -> None:
    with whole_file(path) as scratch:
        scratch.write_bytes(data)
        scratch.chmod(_MODE)


def _fingerprint() -> str:
    """Of the sources, the compiler and the processor."""
    digest = hashlib.sha256()
    for source in sorted(_FOLDER.rglob("*.py")):
        digest.update(source.read_bytes())
    processor = llvm.get_host_cpu_name() + llvm.get_host_cpu_features().flatten()
    digest.update(f"{processor} {llvmlite.__version__}".encode())
    return digest.hexdigest()[:20]
