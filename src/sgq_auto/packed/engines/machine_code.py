"""The compiled kernels as machine code, kept between processes.

Numba compiles the kernels once for a machine; what is kept is an object file that llvmlite alone
loads. A process that only predicts thus starts in a fraction of the time and memory that numba
itself takes.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import llvmlite
import llvmlite.binding as llvm

from sgq_auto.packed.engines.signatures import SIGNATURES, c_function
from sgq_auto.packed.whole_file import whole_file

_FOLDER = Path(__file__).parent
_DIGEST_BYTES = 32


class Kernels(SimpleNamespace):
    """The kernels as functions, by name; see :mod:`sgq_auto.packed.engines.kernels`."""


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
    kept = [folder / f"kernels-{_fingerprint()}.o" for folder in _folders()]
    for path in kept:
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            code = data[_DIGEST_BYTES:]
            if hashlib.sha256(code).digest() == data[:_DIGEST_BYTES]:
                return code
    from sgq_auto.packed.engines.translate import translate_kernels

    code = translate_kernels(_machine())
    for path in kept:
        with contextlib.suppress(OSError):
            _keep(path, hashlib.sha256(code).digest() + code)
            break
    return code


def _folders() -> Iterator[Path]:
    """Where code may be kept: beside Python's own, or with the user's where that is read-only.

    Like ``__pycache__``, these are folders that only who may run code here can write.
    """
    yield _FOLDER / "__pycache__"
    with contextlib.suppress(RuntimeError):
        cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        yield Path(cache_home) / "sgq_auto"


def _keep(path: Path, data: bytes) -> None:
    with whole_file(path) as scratch:
        scratch.write_bytes(data)


def _fingerprint() -> str:
    """Of the sources, the compiler and the processor."""
    digest = hashlib.sha256()
    for source in sorted(_FOLDER.rglob("*.py")):
        digest.update(source.read_bytes())
    processor = llvm.get_host_cpu_name() + llvm.get_host_cpu_features().flatten()
    digest.update(f"{processor} {llvmlite.__version__}".encode())
    return digest.hexdigest()[:20]
