"""``python -m sgq_auto``: the list of commands; ``python -m sgq_auto COMMAND ...`` runs one."""

import runpy
import sys

from sgq_auto import __version__
from sgq_auto.commands.command_process import command_process
from sgq_auto.errors import InputError, did_you_mean

_COMMANDS = {
    "search": "find the bits of a model on a graph: the main job",
    "infer": "predict with a packed model",
    "compare": "several searches in one picture and one table",
    "ui": "MLflow's UI on what searches have tracked",
    "status": "what a study is doing: workers, pace, front, failures",
    "export": "pack any trial of a study, or put the whole study into one file",
    "restore": "take in a study that was exported elsewhere",
    "merge": "one study, and one confirmed front, of several",
    "sync": "bring the tracking store up to date with a study",
}
_HELP = """
How few bytes can a graph neural network run in, and what does that cost in accuracy?

Commands:

{commands}

`python -m sgq_auto COMMAND --help` explains one; `python -m sgq_auto.COMMAND` runs it as well.
Start with `python -m sgq_auto search`: it searches a GCN on a graph that comes with the
installation, and takes a minute or two. SGQ_AUTO_TRACEBACK=1 in the environment shows where an
error comes from.
"""


def main() -> None:
    """Run a command, or list them; an unknown one is one line and status 2."""
    with command_process():
        command = _chosen(sys.argv[1:])
    if command is not None:
        sys.argv = [f"sgq_auto.{command}", *sys.argv[2:]]
        # As `python -m sgq_auto.COMMAND` does it: workers find their main module by this.
        runpy.run_module(f"sgq_auto.{command}", run_name="__main__", alter_sys=True)


def _chosen(arguments: list[str]) -> str | None:
    """The command to run; ``None`` where all there is to say was printed."""
    first = arguments[0] if arguments else "--help"
    if first in ("-h", "--help", "help"):
        if arguments[1:]:
            sys.argv[1:] = [*arguments[1:2], "--help"]
            return _chosen(sys.argv[1:])
        width = max(map(len, _COMMANDS))
        listed = "\n".join(f"  {name:{width}}  {about}" for name, about in _COMMANDS.items())
        print("usage: python -m sgq_auto COMMAND [ARGUMENT ...]")
        print(_HELP.format(commands=listed).rstrip())
        return None
    if first in ("-V", "--version"):
        print(f"sgq-auto {__version__}")
        return None
    if first not in _COMMANDS:
        hint = did_you_mean(first, _COMMANDS)
        raise InputError(
            f"{first}: there is no such command{hint}; there are {', '.join(_COMMANDS)}"
        )
    return first


if __name__ == "__main__":
    main()
