"""The folder that a model in C is written to."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from c_programs import beyond_c
from cases import Case

from sgq_auto.errors import InputError
from sgq_auto.packed import write_c
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.device.lowering.operation_steps import FUNCTIONS
from sgq_auto.packed.device.steps import DegreeFactor, Opcode, Reduced
from sgq_auto.packed.device.unsupported import UnsupportedInCError

_FILES = {
    "sgq_model.c",
    "sgq_model.h",
    "sgq_runtime.c",
    "sgq_runtime.h",
    "example.c",
    "Makefile",
    "MEMORY.md",
}


def test_a_folder_has_all_that_a_compiler_needs(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    footprint = write_c(small_case("gcn").packed, tmp_path / "device")
    assert {path.name for path in (tmp_path / "device").iterdir()} == _FILES
    page = (tmp_path / "device" / "MEMORY.md").read_text()
    assert str(footprint.flash_bytes) in page
    assert str(footprint.ram_bytes) in page


def test_files_of_the_user_stay(small_case: Callable[[str], Case], tmp_path: Path) -> None:
    packed = small_case("gcn").packed
    write_c(packed, tmp_path)
    (tmp_path / "example.c").write_text("int main(void) { return 0; }\n")
    write_c(packed, tmp_path)
    assert (tmp_path / "example.c").read_text().startswith("int main")
    (tmp_path / "sgq_model.c").write_text("mine\n")
    with pytest.raises(InputError, match=r"sgq_model\.c is there and was not written by sgq-auto"):
        write_c(packed, tmp_path)


def test_names_of_a_file_are_no_code(small_case: Callable[[str], Case]) -> None:
    packed = small_case("gcn").packed
    evil = '"}; */ int evil; /* ??/\n\\é'
    classes = (evil, *packed.classes[1:])
    header = CModel(replace(packed, classes=classes, source={"study": evil})).header()
    assert r'"\042\175; \052/ int evil; /\052 \077\077/\012\134\303\251"' in header
    assert "A packed model: ___ __ int evil_ __ ______. Written" in header


def test_numbers_of_steps_are_those_of_the_runtime(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    write_c(small_case("gcn").packed, tmp_path)
    text = (tmp_path / "sgq_runtime.c").read_text()
    steps = {n: int(k) for n, k in re.findall(r"^    STEP_([A-Z_]+) = (\d+)", text, re.M)}
    assert steps == {opcode.name: int(opcode) for opcode in Opcode}
    functions = text.split("Functions of STEP_ACTIVATE")[1].split("}")[0]
    numbered = {n.lower(): int(k) for n, k in re.findall(r"([A-Z_]+) = (\d+)", functions)}
    assert numbered == {function.value: k for function, k in FUNCTIONS.items()}


def test_numbers_of_reductions_and_degree_factors_are_those_of_the_runtime(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    write_c(small_case("gcn").packed, tmp_path)
    text = (tmp_path / "sgq_runtime.c").read_text()
    reduced = {n: int(k) for n, k in re.findall(r"^    REDUCED_([A-Z]+) = (\d)", text, re.M)}
    assert reduced == {reduction.name: int(reduction) for reduction in Reduced}
    for factor in DegreeFactor:
        assert re.search(rf"^    DEGREE_{factor.name} = {int(factor)}\b", text, re.M)


def test_what_c_cannot_do_yet_is_named_in_a_line(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    packed = beyond_c(small_case("gcn").packed)
    with pytest.raises(UnsupportedInCError, match="operation center_columns after") as raised:
        write_c(packed, tmp_path / "device")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "device").exists()
