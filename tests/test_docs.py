"""Every command and every Python block of the pages in docs/ runs, in the order of the page.

What is run is in fenced blocks: ``sh``, a command a line, and ``python``; a Python block that
begins with ``# NAME.py`` is that file. Blocks of ``text`` are output, and commands of benchmarks;
those of ``c`` are declarations of files that the tests of the model in C compile.
Searches run as they are written, with ``_QUICK`` after their own settings. ``NAME`` and ``N`` stand
for the study of the page's last search and a trial of it.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hydra
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from sgq_auto.configuration.checked_settings import conf_dir, with_own_arguments
from sgq_auto.graphs.sources import EmbeddedCora

pytestmark = pytest.mark.system

DOCS = Path(__file__).parents[1] / "docs"
# Pages with indented commands, which want servers or models; these tests run such commands.
_RUN_ELSEWHERE = {
    "own_model.md": ["test_own_model.py"],
    "team.md": ["test_two_hosts.py", "test_faults.py", "searching/workers/test_launchers.py"],
    "deploying.md": ["packed/test_alone.py", "tracking/test_mlflow_model.py"],
}
_SEARCH = "python -m sgq_auto.search "
_QUICK = (
    " n_trials=3 model.hidden=4 pretrain.epochs=20 finetune.epochs=2 teachers=1"
    " confirm.seeds=2 confirm.max_points=2 confirm.refinements=0 tolerance=100"
)
# A trained model is as wide as it is, and not trained.
_OF_TRAINED = re.sub(r" (model|pretrain)\.\S+", "", _QUICK)
# Two pages have a test file of their own, which runs their blocks; others have none to run.
_PAGES = [
    pytest.param(path.name, marks=pytest.mark.slow)
    for path in sorted(DOCS.glob("*.md"))
    if path.name not in ("own_model.md", "extending.md")
    and re.search(r"^```(python|sh)$", path.read_text(), re.M)
]
assert _PAGES


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    text: str

    def commands(self) -> list[str]:
        """The lines of a block of commands."""
        return [line for line in self.text.splitlines() if line and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    text = (DOCS / page).read_text()
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.S | re.M)
    return [Block(kind, inside) for kind, inside in found if kind not in ("text", "c")]


def commands() -> Iterator[tuple[str, str]]:
    """Every command of every page, with the page."""
    for path in sorted(DOCS.glob("*.md")):
        for block in blocks(path.name):
            if block.kind == "sh":
                yield from ((path.name, command) for command in block.commands())


def run_python(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    file = re.match(r"# (\w+\.py)\n", block.text)
    path = folder / (file[1] if file else "block.py")
    path.write_text(block.text)
    return subprocess.run(
        [sys.executable, path.name], cwd=folder, capture_output=True, text=True, check=False
    )


def run_command(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if command.startswith(_SEARCH):
        command += _OF_TRAINED if "model.checkpoint=" in command else _QUICK
    summaries = sorted(folder.glob("**/summary.json"), key=lambda path: path.stat().st_mtime)
    if "study=NAME" in command:
        summary = json.loads(summaries[-1].read_text())
        command = command.replace("study=NAME", f"study={summary['study']}")
        command = command.replace("trial=N", f"trial={summary['front'][0]['trial']}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", _PAGES)
def test_what_a_page_says_works(page: str, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.kind == "python":
            done = run_python(block, tmp_path)
            assert done.returncode == 0, f"{block.text}\n{done.stderr}"
            continue
        assert block.kind == "sh"
        for command in block.commands():
            done = run_command(command, tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    if page == "own_graph.md":
        # What the people who follow it want in the end.
        lines = (tmp_path / "preds.csv").read_text().splitlines()
        assert lines[0] == "node,class"
        assert len(lines) == 1 + 2708
        ids, names = zip(*(line.split(",") for line in lines[1:]), strict=True)
        assert ids == tuple(f"paper_{n}" for n in range(2708))
        assert set(names) <= set(EmbeddedCora().load().class_names or ())


def test_settings_in_the_pages_exist() -> None:
    searches = [c.removeprefix(_SEARCH) for _, c in commands() if c.startswith(_SEARCH)]
    assert len(searches) > 5
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for search in searches:
            words = with_own_arguments([word for word in search.split() if word != "-m"])
            parsed = OverridesParser.create().parse_overrides(words)
            single = [
                f"{o.key_or_group}={next(o.sweep_string_iterator())}"
                if o.is_sweep_override()
                else o.input_line
                for o in parsed
                if not o.key_or_group.startswith("hydra.")
            ]
            hydra.compose("config", overrides=single)


def test_indented_commands_are_run_by_other_tests() -> None:
    indented = re.compile(r"^    (\w+=\S+ )?(python|pip|mlflow|curl|ray|createuser) ", re.M)
    found = {path.name for path in DOCS.glob("*.md") if indented.search(path.read_text())}
    assert found == set(_RUN_ELSEWHERE)
    tests = Path(__file__).parent
    assert all((tests / test).is_file() for named in _RUN_ELSEWHERE.values() for test in named)


def test_blocks_of_text_are_output_or_benchmarks() -> None:
    inside = re.compile(r"^```text\n(.*?)^```$", re.S | re.M)
    found = [(p.name, text) for p in DOCS.glob("*.md") for text in inside.findall(p.read_text())]
    assert found
    assert not [name for name, text in found if "-m sgq_auto" in text]


def test_settings_that_are_listed_exist_and_have_these_defaults() -> None:
    page = (DOCS / "commands.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (\S+) \|", page.split("## Settings")[1], re.M)
    assert len(rows) > 20
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = hydra.compose("config", return_hydra_config=True)
    groups = config.hydra.runtime.choices
    for name, cell in rows:
        listed = None if cell == "none" else yaml.safe_load(cell.strip("`"))
        assert groups[name] == listed if name in groups else _value(config, name) == listed, name


def _value(config: DictConfig, name: str) -> object:
    value = OmegaConf.select(config, name, throw_on_missing=True, default="absent")
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def test_packages_are_listed_in_the_order_that_imports_keep() -> None:
    page = (DOCS / "how_it_works.md").read_text().split("## The packages")[1].split("## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", page, re.M)
    root = DOCS.parent
    packages = {path.parent.name for path in (root / "src" / "sgq_auto").glob("*/__init__.py")}
    assert set(listed) == packages
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    order = [name for layer in layers for name in layer.split(" | ") if name in packages]
    floors = {name: k for k, layer in enumerate(layers) for name in layer.split(" | ")}
    assert len(order) == len(packages)
    assert [floors[name] for name in listed] == sorted(floors[name] for name in listed)


def test_verbs_are_the_usual_ones() -> None:
    """These are used in other senses than a reader would expect from school."""
    for path in (DOCS.parent / "README.md", *DOCS.glob("*.md")):
        text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.S | re.M)
        found = re.findall(r"\b(?:told|holds|buys|wants|stands (?!for))", text)
        assert not found, path.name


def test_links_lead_somewhere() -> None:
    pages = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]
    link_or_anchor = re.compile(r"\]\(([^)#]*)#?([^)]*)\)")
    links = [(page, *found) for page in pages for found in link_or_anchor.findall(page.read_text())]
    inside = [(page, link, anchor) for page, link, anchor in links if not link.startswith("http")]
    assert len(inside) > 20
    for page, link, anchor in inside:
        target = page if not link else page.parent / link
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What a link may name on a page: its headings, as GitHub turns them into addresses."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
