"""``python -m sgq_auto``, and what commands say before they import anything large."""

import os
import pydoc
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import sgq_auto

pytestmark = pytest.mark.system

COMMANDS = ["search", "infer", "compare", "ui", "status", "export", "restore", "merge", "sync"]
_ARGUMENTS = {
    "infer": ["artifact=", "nodes=", "out=", "ids=", "threads="],
    "compare": ["RUN", "out=", "uri=", "output_root="],
    "ui": ["uri=", "--port", "mlflow ui"],
    "status": ["study=", "output_root="],
    "export": ["study=", "trial=", "out=", "output_root="],
    "restore": ["file=", "output_root=", "own_code="],
    "merge": ["studies=", "output_root="],
    "sync": ["study=", "uri=", "output_root="],
    "search": ["n_trials=100", "of the study in all", "dataset", "a multirun", "Examples"],
}
# The interpreter fails where it imports what takes seconds.
_LIGHT = """
import runpy, sys
for name in ("torch", "torch_geometric", "mlflow", "optuna", "hydra", "pandas", "matplotlib"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def light(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m ARGUMENTS`` where nothing large can be imported."""
    return subprocess.run(
        [sys.executable, "-c", _LIGHT, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_command_all_are_listed() -> None:
    for arguments in ([], ["--help"]):
        done = light("sgq_auto", *arguments)
        assert done.returncode == 0, done.stderr
        listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
        assert listed == COMMANDS
    assert light("sgq_auto", "--version").stdout == f"sgq-auto {sgq_auto.__version__}\n"
    unknown = light("sgq_auto", "serch")
    assert unknown.returncode == 2
    assert "serch: there is no such command; did you mean 'search'?" in unknown.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_at_once(command: str) -> None:
    done = light("sgq_auto", command, "--help", COLUMNS="100")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m sgq_auto.{command}")
    assert all(word in done.stdout for word in _ARGUMENTS[command])
    assert "Example" in done.stdout
    version = light(f"sgq_auto.{command}", "--version")
    assert version.stdout == f"sgq-auto {sgq_auto.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sgq_auto.search", "n_trils=3"], "n_trils: there is no such setting"),
        (["sgq_auto", "search", "dataset=corra"], "did you mean 'cora'?"),
        (["sgq_auto.status", "studdy=a"], "studdy is unknown; did you mean 'study'?"),
        (["sgq_auto.status", "study=a", "study=b"], "study is given twice"),
        (["sgq_auto.sync", "study="], "study is missing"),
        (["sgq_auto.export", "study=a", "trial=first"], "trial=first: it must be the number"),
        (["sgq_auto.restore", "file=a", "own_code=yes"], "own_code=yes: it must be true or false"),
        (["sgq_auto.compare"], "no runs to compare"),
        (["sgq_auto.merge"], "studies is missing"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_imported(
    arguments: list[str], message: str
) -> None:
    done = light(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    told = light(*arguments, SGQ_AUTO_TRACEBACK="1")
    assert "Traceback" in told.stderr
    assert told.stderr.endswith(done.stderr)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_help_is_printed_in_any_encoding(encoding: str) -> None:
    for command in COMMANDS:
        done = light("sgq_auto", command, "--help", PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_and_a_closed_output_are_no_errors() -> None:
    for shell in ("{} | true", "{} >&-"):
        command = f"{sys.executable} -m sgq_auto.search --help"
        done = subprocess.run(
            ["bash", "-c", shell.format(command)], capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        assert done.returncode == 0


def test_the_library_is_listed() -> None:
    assert {"prepare", "search", "pack"} <= set(dir(sgq_auto))
    package, function = map(pydoc.plaintext.document, (sgq_auto, sgq_auto.search))
    assert all(f"{name}(" in package for name in ("prepare", "search", "pack"))
    assert "n_trials: Trials of the study in all." in function


def test_scripts_are_the_commands() -> None:
    scripts = {s.name: s.value for s in entry_points(group="console_scripts") if "sgq" in s.name}
    if not scripts:
        pytest.skip("the package is not installed")
    for command in COMMANDS:
        assert scripts[f"sgq-auto-{command}"] == f"sgq_auto.commands.{command}:main"
    assert Path(sgq_auto.__file__).with_name("__main__.py").is_file()
