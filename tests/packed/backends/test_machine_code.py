"""Kernels are compiled once, kept, and loaded without numba."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sgq_auto
from sgq_auto.packed.backends import machine_code, translate

pytestmark = pytest.mark.system

_PACKAGE = Path(sgq_auto.__file__).parent
# Predicts nothing; loads the kernels and runs one.
_RUN = """
import sys
if "block" in sys.argv:
    sys.modules["numba"] = None
import numpy as np
from sgq_auto.packed.backends import fastest_engine
from sgq_auto.packed.codes.ranges import Ranges
engine = fastest_engine()
ranges = Ranges((2,), np.ones(1, "f4"), np.zeros(1, "f4"))
assert engine.fake_quantize(np.array([0.7, 9.0]), ranges, 0).tolist() == [1, 3]
print(type(engine).__name__, "numba" in sys.modules and sys.modules["numba"] is not None)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package in a folder of its own, where nothing was compiled yet."""
    kept_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_PACKAGE, tmp_path / "copy" / "sgq_auto", ignore=kept_out)
    return tmp_path / "copy"


def _run(copy: Path, *arguments: str, home: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    environment["XDG_CACHE_HOME"] = str(home or copy / "home")
    command = [sys.executable, "-c", _RUN, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("kernels-*.o*"))


@pytest.mark.slow
def test_what_was_compiled_needs_no_numba_any_more(copy: Path) -> None:
    assert _run(copy, "block") == "NumpyEngine False"
    assert _run(copy) == "CompiledEngine True"
    (kept,) = _kept(copy)
    assert kept.parent.name == "__pycache__"
    assert _run(copy) == "CompiledEngine False"
    assert _run(copy, "block") == "CompiledEngine False"


@pytest.mark.slow
def test_damaged_or_stale_code_is_compiled_again(copy: Path) -> None:
    _run(copy)
    (kept,) = _kept(copy)
    code = kept.read_bytes()
    for damaged in (b"", code[:1000], code[:-1] + bytes([code[-1] ^ 1])):
        kept.write_bytes(damaged)
        assert _run(copy) == "CompiledEngine True"
        assert kept.read_bytes() == code
    with (copy / "sgq_auto/packed/backends/kernels/sums.py").open("a") as source:
        source.write("\n# Another version.\n")
    assert _run(copy) == "CompiledEngine True"
    assert len(_kept(copy)) == 2


@pytest.mark.slow
def test_code_is_kept_with_the_user_where_the_package_is_read_only(
    copy: Path, tmp_path: Path
) -> None:
    # A file where the folder would be: that holds for root too.
    engines = copy / "sgq_auto/packed/backends"
    shutil.rmtree(engines / "__pycache__", ignore_errors=True)
    (engines / "__pycache__").write_text("")
    home = tmp_path / "home"
    assert _run(copy, home=home) == "CompiledEngine True"
    assert _kept(copy) == []
    assert len(_kept(home)) == 1
    assert _run(copy, "block", home=home) == "CompiledEngine False"


@pytest.mark.slow
def test_code_that_cannot_be_kept_is_compiled_each_time(copy: Path, tmp_path: Path) -> None:
    engines = copy / "sgq_auto/packed/backends"
    shutil.rmtree(engines / "__pycache__", ignore_errors=True)
    (engines / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.write_text("")
    assert _run(copy, home=home) == "CompiledEngine True"
    assert _run(copy, home=home) == "CompiledEngine True"


@pytest.fixture
def kept_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where code is kept, of a compiler that says ``compiled``; nothing beside the source."""
    monkeypatch.setattr(machine_code, "_FOLDER", tmp_path / "source")
    monkeypatch.setattr(translate, "translate_kernels", lambda _: b"compiled")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "__pycache__").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert machine_code._object_code() == b"compiled"
    (path,) = _kept(tmp_path / "cache")
    _plant(path)
    assert machine_code._object_code() == b"planted"  # So it is read at all.
    return path


def _plant(path: Path) -> None:
    path.write_bytes(hashlib.sha256(b"planted").digest() + b"planted")


@pytest.mark.parametrize("change", ["file", "folder", "above", "link", "relative"])
def test_code_that_others_may_have_put_there_is_not_run(
    kept_code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    if change == "link":
        target = tmp_path / "target.o"
        kept_code.replace(target)
        kept_code.symlink_to(target)
    elif change == "relative":
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_CACHE_HOME", "cache")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
    else:
        place = {"file": 0, "folder": 1, "above": 2}[change]
        (kept_code, *kept_code.parents)[place].chmod(0o777)
    assert machine_code._object_code() == b"compiled"


def test_a_planted_folder_beside_the_source_is_not_used(kept_code: Path, tmp_path: Path) -> None:
    beside = tmp_path / "source" / "__pycache__"
    kept_code.unlink()
    beside.unlink()
    beside.mkdir()
    _plant(beside / kept_code.name)
    assert machine_code._object_code() == b"planted"
    beside.chmod(0o777)
    assert machine_code._object_code() == b"compiled"
