"""Models in C on an emulated machine whose words start with the largest byte."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_programs import Predicted, Program, program, worst
from random_models import RandomModels

from sgq_auto.packed.backends import NumpyEngine

pytestmark = pytest.mark.system

_GCC, _QEMU = "mips-linux-gnu-gcc", "qemu-mips"


def test_random_models_agree_where_the_largest_byte_comes_first(tmp_path: Path) -> None:
    missing = [tool for tool in (_GCC, _QEMU) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed, to emulate a big-endian machine")
    # Graph convolutions, attention, and values of 32 bits are among them.
    for seed in (39, 50, 59, 60):
        packed = RandomModels(np.random.default_rng(seed), most_nodes=(4, 10, 40)).model()
        packed = replace(packed, engine=NumpyEngine())
        made = program(packed, tmp_path, "-static", "-DSGQ_DOUBLE", by=_GCC)
        found = _emulated(made)
        assert worst(found.logits, packed.predict()) <= 1e-5, seed


def _emulated(made: Program) -> Predicted:
    command = [_QEMU, str(made.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return made.read(done.stdout, made.model.num_nodes)
