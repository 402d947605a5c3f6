"""Programs in C that tests compile and run."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from sgq_auto.packed import PackedModel, write_c
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.packed.runtime.operations.norms import CenterColumns
from sgq_auto.packed.runtime.program import Program as PackedProgram

_PROGRAMS = Path(__file__).parent / "programs"
_WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
# Not optimised: with these, that takes seven times as long to compile, and finds no more.
SANITIZERS = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def compiler(name: str = "gcc") -> str:
    """A C compiler; skips the test where there is none."""
    if shutil.which(name) is None:
        pytest.skip(f"no {name} is installed, which compiles the model in C")
    return name


@dataclass(frozen=True)
class Predicted:
    """What a program in C predicted.

    Attributes:
        nodes: The nodes, in the order in which they came.
        logits: ``[N, outputs]``; NaN of nodes that did not come.
        mark: Bytes of the arena up to the last one that was written.
    """

    nodes: list[int]
    logits: np.ndarray
    mark: int


@dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes:
        path: Its file.
        model: The model that it predicts with.
    """

    path: Path
    model: PackedModel

    def predict(self, nodes: Sequence[int] = ()) -> Predicted:
        """Run it for some nodes, or for all."""
        done = self._run(*map(str, nodes))
        assert done.returncode == 0, (done.returncode, done.stderr[:2000])
        return self.read(done.stdout, self.model.num_nodes)

    def predict_given(
        self,
        x: np.ndarray,
        edge_index: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        arena: int | None = None,
    ) -> Predicted | int:
        """Run it for features and edges ``[2, E]``; what was predicted, or the code of a fault.

        Args:
            x: The features.
            edge_index: Its edges; a program whose graph is fixed leaves them out.
            weights: Their weights, for a model that reads some.
            arena: Bytes of the arena, by default those of the largest graph.
        """
        path = self.path.with_suffix(".graph")
        parts = np.array([len(x), edge_index.shape[1]]), *edge_index
        whole = b"".join(part.astype("<u4").tobytes() for part in parts)
        numbers = x if weights is None else np.concatenate([x.ravel(), weights])
        path.write_bytes(whole + numbers.astype("<f4").tobytes())
        done = self._run(str(path), *([] if arena is None else [str(arena)]))
        assert not done.stderr, done.stderr[:2000]
        return done.returncode or self.read(done.stdout, len(x))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def read(self, text: str, nodes: int) -> Predicted:
        """What it wrote, of so many nodes."""
        *lines, mark = text.splitlines()
        rows = 1 if self.model.program.predicts_graphs else nodes
        logits = np.full((rows, len(self.model.classes)), np.nan)
        came = []
        for line in lines:
            node, *values = line.split()
            came.append(int(node))
            logits[int(node)] = [float(value) for value in values]
        return Predicted(came, logits, int(mark.split()[1]))


def program(
    model: PackedModel,
    folder: Path,
    *flags: str,
    main: str = "predict_all.c",
    by: str = "gcc",
) -> Program:
    """Write a model as C, and compile it with a main program; warnings are errors."""
    write_c(model, folder)
    out = folder / "program"
    sources = [str(folder / "sgq_model.c"), str(folder / "sgq_runtime.c"), str(_PROGRAMS / main)]
    command = [compiler(by), *_WARNINGS, "-O1", *flags, f"-I{folder}", "-o", str(out), *sources]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return Program(out, model)


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in the unit of the largest logit if that is above 1."""
    unit = max(1.0, float(np.abs(expected).max()))
    return float(np.nan_to_num(np.abs(found - expected) / unit, nan=np.inf).max())


def c_model(packed: PackedModel) -> CModel | None:
    """The model in C, where that can be done."""
    made = CModel(packed)
    try:
        assert made.passes
    except UnsupportedInCError:
        return None
    return made


def beyond_c(packed: PackedModel) -> PackedModel:
    """A model with what C cannot do yet: columns are centred over all nodes after its first layer.

    Its layers read one another in order.
    """
    names = [layer.spec.name for layer in packed.layers]
    centred = PackedProgram.chain(names, [[CenterColumns(inputs=(0,))]])
    return replace(packed, program=centred)
