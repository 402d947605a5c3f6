"""How kernels are compiled."""

from typing import Any

import numba
import pytest

from sgq_auto import compiled


def test_a_machine_without_a_writable_folder_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def without_cache(*args: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*args, **options)

    monkeypatch.setattr(compiled.numba, "njit", without_cache)

    @compiled.compiled()
    def double(x):
        return 2 * x

    assert double(4) == 8
