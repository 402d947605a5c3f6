"""The runtime alone: this package's wheel beside numpy and safetensors, and nothing else."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import MODELS, Case

from sgq_auto.packed import save

pytestmark = pytest.mark.system

_CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
_INSTALLED = """
from importlib.metadata import distributions
print(*sorted(entry.name for entry in distributions()))
"""
# Predicts with every artifact of the command line, beside which the logits go.
_PREDICT = """
import sys
from pathlib import Path
import numpy as np
from sgq_auto.packed import load
for path in map(Path, sys.argv[1:]):
    model = load(path)
    assert type(model.engine).__name__ == "NumpyEngine", model.engine
    np.save(path.with_suffix(".npy"), model.predict())
"""


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that holds the wheel, numpy and safetensors."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, symlinks=sys.platform != "win32")
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-deps"]
    packages = ["-c", str(_CONSTRAINTS), str(wheel), "numpy", "safetensors"]
    subprocess.run([*pip, *packages], check=True)
    return folder


def _run(bare: Path, folder: Path, *arguments: str) -> str:
    python = bare / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    # Isolated: neither PYTHONPATH nor the folder leads back to this checkout.
    done = subprocess.run(
        [str(python), "-I", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_beside_numpy_and_safetensors_is_a_whole_runtime(
    bare: Path, small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    assert _run(bare, tmp_path, "-c", _INSTALLED).split() == ["numpy", "safetensors", "sgq-auto"]
    paths = {model: tmp_path / f"{model}.safetensors" for model in MODELS}
    for model, path in paths.items():
        save(small_case(model).packed, path)
    _run(bare, tmp_path, "-c", _PREDICT, *map(str, paths.values()))
    for model, path in paths.items():
        logits = np.load(path.with_suffix(".npy"), allow_pickle=False)
        np.testing.assert_allclose(logits, small_case(model).packed.predict(), rtol=0, atol=1e-6)


def test_infer_runs_there(bare: Path, small_case: Callable[[str], Case], tmp_path: Path) -> None:
    packed = small_case("gat").packed
    save(packed, tmp_path / "model.safetensors")
    printed = _run(
        bare, tmp_path, "-m", "sgq_auto.infer", "artifact=model.safetensors", "nodes=0,5"
    )
    first, second = (packed.classes[k] for k in packed.predict([0, 5]).argmax(axis=1))
    assert printed.startswith(f"node 0: class {first}\nnode 5: class {second}\nPredicted: ")
