"""Models in C on emulated microcontrollers with 256 KiB of flash and 64 KiB of RAM."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from c_programs import worst
from cases import Case, make_case

from sgq_auto.graphs import PreparedData
from sgq_auto.packed import PackedModel, write_c
from sgq_auto.packed.backends import NumpyEngine

pytestmark = pytest.mark.system

_HERE = Path(__file__).parent
_GCC, _QEMU = "arm-none-eabi-gcc", "qemu-system-arm"
_FLAGS = ("-std=gnu99", "-Os", "-mthumb", "-fno-math-errno", "-ffunction-sections")
_LINKED = ("-Wl,--gc-sections", "-nostartfiles", "--specs=nosys.specs")
_BOARDS = {
    "mps2-an386": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "mps2-an385": ("-mcpu=cortex-m3", "-mfloat-abi=soft"),
}
# What a command may answer after the rows of nodes.
_FIGURES = ("stack", "arena", "ticks_all", "ticks_one", "fault", "crash")


@dataclass(frozen=True)
class Answer:
    """What an emulated board answered.

    Attributes:
        logits: fp32 ``[N, outputs]``.
        figures: What it says of itself, by name.
    """

    logits: np.ndarray
    figures: dict[str, int]


def answer_of(model: PackedModel, board: str, folder: Path) -> Answer:
    """Predict all nodes of a model on a board; skips the test where nothing emulates one."""
    missing = [tool for tool in (_GCC, _QEMU) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed, to emulate a microcontroller")
    write_c(model, folder)
    sources = [
        str(folder / "sgq_model.c"),
        str(folder / "sgq_runtime.c"),
        str(_HERE / "cortex_m.c"),
    ]
    script, out = f"-T{_HERE / 'cortex_m.ld'}", str(folder / "program.elf")
    flags = [*_FLAGS, *_BOARDS[board], *_LINKED, script, f"-I{folder}", "-o", out]
    done = subprocess.run(
        [_GCC, *flags, *sources, "-lm"], capture_output=True, text=True, check=False
    )
    if "cannot read spec file" in done.stderr:
        pytest.skip("newlib is not installed, which a program for a microcontroller needs")
    assert done.returncode == 0, done.stderr[:3000]
    emulate = [_QEMU, "-M", board, "-nographic", "-semihosting-config", "enable=on,target=native"]
    ran = subprocess.run(
        [*emulate, "-icount", "shift=0", "-kernel", out],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return _read(ran.stderr, model)


def _read(text: str, model: PackedModel) -> Answer:
    logits = np.full((model.num_nodes, len(model.classes)), np.nan, dtype=np.float32)
    figures = {}
    for line in text.splitlines():
        first, *others = line.split()
        if first in _FIGURES:
            figures[first] = int(others[0], 16)
        else:
            words = np.array([int(word, 16) for word in others], dtype=np.uint32)
            logits[int(first, 16)] = words.view(np.float32)
    return Answer(logits, figures)


@pytest.mark.parametrize("board", list(_BOARDS))
@pytest.mark.parametrize("model", ["gcn", "gat"])
def test_small_models_run_with_and_without_a_floating_point_unit(
    model: str, board: str, small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    packed = small_case(model).packed
    answer = answer_of(packed, board, tmp_path)
    assert worst(answer.logits, packed.predict()) <= 1e-4
    assert answer.figures["fault"] == 0
    assert answer.figures["stack"] <= 1024


@pytest.mark.parametrize("name", ["Cora", "CiteSeer"])
def test_every_node_of_a_dataset_gets_the_class_that_numpy_gives_it(
    name: str, real_graph: Callable[[str], PreparedData], tmp_path: Path
) -> None:
    packed = make_case(real_graph(name).graph, "gcn", [1, 2, 3, 4, 6]).packed
    expected = replace(packed, engine=NumpyEngine()).predict()
    answer = answer_of(packed, "mps2-an386", tmp_path)
    assert (answer.logits.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert worst(answer.logits, expected) <= 1e-4
    assert answer.figures["arena"] + answer.figures["stack"] <= 64 * 1024
    assert 50 * answer.figures["ticks_one"] <= answer.figures["ticks_all"]
