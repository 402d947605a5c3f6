"""``docs/extending.md``: the files that it names are there, and what it shows works."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from sgq_auto.configuration.schema import CHOICES
from sgq_auto.packed import Footprint, Objective
from sgq_auto.packed.runtime.layers.layer_kinds import KINDS
from sgq_auto.quantize.layers.graph_conv import QuantizedGraphConv
from sgq_auto.quantize.quantized_layer import QuantizedLayer
from sgq_auto.searching.samplers import Knowledge
from test_docs import blocks, run_command, run_python

pytestmark = pytest.mark.system

_ROOT = Path(__file__).parents[1]
_PAGE = (_ROOT / "docs" / "extending.md").read_text()
_LAYER = _PAGE.split("\n## ")[1]


def test_every_file_and_folder_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:src|tests|conf)/[\w/.]+)`", _PAGE)
    assert len(named) > 12
    assert [path for path in named if not (_ROOT / path).exists()] == []


def test_every_class_that_the_page_sends_to_a_file_is_in_it() -> None:
    pairs = re.findall(r"`(\w+)` in `(src/[\w/.]+)`", _PAGE)
    assert len(pairs) > 4
    for name, path in pairs:
        assert f"class {name}" in (_ROOT / path).read_text(), (name, path)


def test_the_layer_of_the_page_is_known_to_its_four_files_alone() -> None:
    listed = re.findall(r"^\| `(src/\S+\.py)` \|", _LAYER, re.M)
    knows = re.compile(r"GraphConv\b|graph_conv\b|GraphConvLayer")
    files = (_ROOT / "src").rglob("*.py")
    found = {str(f.relative_to(_ROOT)) for f in files if knows.search(f.read_text())}
    assert found == set(listed)
    assert len(listed) == 4


def test_the_layer_of_the_page_is_in_both_lists() -> None:
    assert issubclass(QuantizedGraphConv, QuantizedLayer)
    assert KINDS["graph_conv"] is QuantizedGraphConv.packs_as


def test_an_objective_is_where_the_page_says() -> None:
    names = [objective.value for objective in Objective]
    assert list(Footprint.__dataclass_fields__) == names
    assert list(CHOICES["objective"]) == names
    assert all(name in (_ROOT / "conf" / "config.yaml").read_text() for name in names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all that the page shows was written and run."""
    made = tmp_path_factory.mktemp("extending")
    for block in blocks("extending.md"):
        if block.kind == "python":
            done = run_python(block, made)
            assert done.returncode == 0, done.stderr
        else:
            (command,) = block.commands()
            done = run_command(command, made)
            assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.mark.slow
def test_a_search_takes_the_sampler_and_the_source_of_the_page(folder: Path) -> None:
    summary = json.loads((folder / "extended" / "summary.json").read_text())
    assert summary["trials"]["complete"] == 3
    (kept,) = (folder / "outputs" / "studies").glob("*/config.json")
    config = json.loads(kept.read_text())["config"]
    assert config["sampler"] == {"_target_": "my_sampler.SmallestOfFew", "few": 5}
    assert config["dataset"]["source"] == {"_target_": "my_source.Ring", "num_nodes": 400}


def test_the_sampler_of_the_page_takes_the_smallest() -> None:
    (text,) = (b.text for b in blocks("extending.md") if b.text.startswith("# my_sampler.py"))
    names: dict[str, Any] = {}
    exec(compile(text, "my_sampler.py", "exec"), names)
    knowledge = Knowledge(sizes=lambda p: p.sum(axis=1), parameters=("a", "b"))

    def mean_size(few: int) -> float:
        sampler = names["SmallestOfFew"](few=few, seed=0, knowledge=knowledge)
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda t: t.suggest_int("a", 0, 9) + t.suggest_int("b", 0, 9), n_trials=30)
        # The first one is random.
        return float(np.mean([t.value for t in study.trials[1:]]))

    assert mean_size(10) < 0.6 * mean_size(1)
