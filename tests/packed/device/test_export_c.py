"""``python -m sgq_auto.export format=c``."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from c_programs import beyond_c
from cases import Case

from sgq_auto.commands import export
from sgq_auto.errors import InputError
from sgq_auto.packed import save


@pytest.mark.system
def test_a_packed_file_becomes_c_where_no_compiler_is(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    save(small_case("gcn").packed, tmp_path / "small.safetensors")
    command = [sys.executable, "-m", "sgq_auto.export", "artifact=small.safetensors", "format=c"]
    nothing = os.environ | {"PATH": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=nothing, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "C model: small-c (flash " in done.stdout
    assert "Next, where a C compiler is: make -C small-c" in done.stdout
    assert (tmp_path / "small-c" / "sgq_model.c").is_file()


@pytest.mark.system
def test_what_c_cannot_do_yet_ends_the_command_with_one_line(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    save(beyond_c(small_case("gcn").packed), tmp_path / "normed.safetensors")
    command = [sys.executable, "-m", "sgq_auto.export", "artifact=normed.safetensors", "format=c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the C model cannot do this yet: the operation center_columns after" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["format=cpp", "study=a"], "format=cpp: it must be c"),
        (["artifact=a.safetensors"], "artifact: it goes with a format"),
        (["artifact=a", "study=b", "format=c"], "give no study or trial with it"),
        (["format=c"], "study is missing"),
        (["artifact=nothing.safetensors", "format=c"], "nothing.safetensors: No such file"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        export._run(arguments)
