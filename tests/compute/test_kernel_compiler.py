"""How kernels are kernel_compiler."""

import importlib.util
from pathlib import Path
from typing import Any

import numba
import pytest

from sgq_auto.compute import kernel_compiler


def test_a_machine_without_a_writable_folder_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def without_cache(*args: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*args, **options)

    monkeypatch.setattr(kernel_compiler.numba, "njit", without_cache)

    @kernel_compiler.compiled()
    def double(x):
        return 2 * x

    assert double(4) == 8


def test_a_cache_that_others_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba keeps pickles: the cache of a kernel is beside its source, or the user's own."""
    source = tmp_path / "source" / "kernel_of_test.py"
    source.parent.mkdir()
    source.write_text("def double(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("kernel_of_test", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def cache_of() -> Path | None:
        kernel_compiler._is_safe.cache_clear()
        path = kernel_compiler.compiled()(module.double).stats.cache_path  # type: ignore[attr-defined]
        return Path(path) if path else None

    beside = source.parent / "__pycache__"
    assert cache_of() == beside
    beside.chmod(0o777)
    own = cache_of()
    assert own is not None
    assert own.parent == tmp_path / "cache" / "sgq_auto"
    (tmp_path / "cache").chmod(0o777)
    assert cache_of() is None
    assert kernel_compiler.compiled()(module.double)(4) == 8
