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
from pooled_cases import pack

from many_graphs import tu
from sgq_auto.graphs import PreparedData
from sgq_auto.models import GraphGIN
from sgq_auto.packed import PackedModel, write_c
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.device.c_model import CModel

pytestmark = pytest.mark.system

_PROGRAMS = Path(__file__).parent / "programs"
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


def answer_of(
    model: PackedModel, board: str, folder: Path, given: tuple[np.ndarray, np.ndarray] | None = None
) -> Answer:
    """Predict all nodes of a model on a board; skips the test where nothing emulates one.

    Args:
        model: The model.
        board: The board that is emulated.
        folder: Where the program is made.
        given: Features and edges of a graph that is predicted.
    """
    missing = [tool for tool in (_GCC, _QEMU) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed, to emulate a microcontroller")
    write_c(model, folder)
    if given is not None:
        (folder / "given_graph.h").write_text(_graph_text(*given))
    sources = [
        str(folder / "sgq_model.c"),
        str(folder / "sgq_runtime.c"),
        str(_PROGRAMS / "cortex_m.c"),
    ]
    script, out = f"-T{_PROGRAMS / 'cortex_m.ld'}", str(folder / "program.elf")
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


def _graph_text(x: np.ndarray, edges: np.ndarray) -> str:
    """A graph in memory that is only read, as C."""
    sources, targets = (", ".join(f"{node}U" for node in ends) for ends in edges.tolist())
    numbers = ", ".join(f"{float(np.float32(number)).hex()}F" for number in x.ravel())
    return f"""
static const uint32_t given_sources[] = {{{sources}}};
static const uint32_t given_targets[] = {{{targets}}};
static const float given_features[] = {{{numbers}}};
static const sgq_graph given_graph = {{
    {len(x)}U, {edges.shape[1]}U, given_sources, given_targets, given_features}};
"""


def _read(text: str, model: PackedModel) -> Answer:
    rows = 1 if model.program.predicts_graphs else model.num_nodes
    logits = np.full((rows, len(model.classes)), np.nan, dtype=np.float32)
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
@pytest.mark.parametrize("model", ["gcn", "gat", "agnn"])
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


@pytest.mark.slow
def test_the_largest_graph_of_proteins_is_predicted_as_by_numpy(
    data_root: Path, tmp_path: Path
) -> None:
    raw = data_root / "TUDataset" / "PROTEINS" / "raw"
    if not raw.is_dir():
        pytest.skip(f"no raw files of PROTEINS in {raw}; set SGQ_AUTO_DATA")
    graphs = tu(raw)
    model = GraphGIN(graphs.x.shape[1], 2)
    packed = replace(pack(model, graphs.prepared().graph, (2, 3, 4))[0], engine=NumpyEngine())
    (number,) = np.flatnonzero(np.bincount(graphs.graph_of_node) == packed.num_nodes)[:1]
    own = graphs.only(int(number))
    answer = answer_of(packed, "mps2-an386", tmp_path, (own.x, own.edge_index))
    expected = packed.predict(x=own.x, edge_index=own.edge_index)
    assert worst(answer.logits, expected) <= 1e-4
    assert answer.figures["fault"] == 0
    assert answer.figures["arena"] == CModel(packed).footprint.ram_bytes
    assert answer.figures["arena"] + answer.figures["stack"] <= 64 * 1024
