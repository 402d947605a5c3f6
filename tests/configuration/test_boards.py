"""Boards: each sets what the model in C may take, and a setting of one's own goes before it."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from sgq_auto.configuration import conf_dir

_BOARDS = sorted(path.stem for path in (conf_dir() / "board").glob("*.yaml"))

_PAGE = Path(__file__).parents[2] / "docs" / "microcontroller.md"
# The page's table of boards, by their names.
_ROWS = dict(re.findall(r"^\| `(\w+)` (\|.* of .*)$", _PAGE.read_text(), re.M))


def _composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", list(overrides))


def test_without_a_board_there_are_no_bounds() -> None:
    plain = _composed()
    assert (plain.max_flash_kib, plain.max_ram_kib) == (None, None)
    assert _composed("max_ram_kib=64").max_ram_kib == 64


@pytest.mark.parametrize("board", [name for name in _BOARDS if name != "none"])
def test_a_board_leaves_some_of_its_memory_to_code_and_stack(board: str) -> None:
    found = _composed(f"board={board}")
    text = (conf_dir() / "board" / f"{board}.yaml").read_text()
    for kind in ("flash", "ram"):
        name = f"max_{kind}_kib"
        whole, left = map(int, re.findall(rf"^{name}: .*# of (\d+); (\d+) ", text, re.M)[0])
        assert found[name] == whole - left
        assert f"{whole - left} of {whole}" in _ROWS[board]
        # Code of the runtime, or its stack, and as much again.
        assert left >= (9 if kind == "flash" else 1.2)


def test_a_bound_of_ones_own_goes_before_the_board() -> None:
    found = _composed("board=cortex_m4", "max_ram_kib=12.5")
    assert (found.max_flash_kib, found.max_ram_kib) == (232, 12.5)
