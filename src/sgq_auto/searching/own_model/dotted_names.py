"""What a dotted name stands for."""

import importlib
import operator
import sys
from pathlib import Path
from typing import Any


def imported(path: str) -> Any:
    """What a dotted name stands for: a class, a function, or one inside a class.

    Raises:
        ImportError, AttributeError: If there is nothing of that name; or what the module raises.
    """
    # As for a script: what lies in the folder of the command can be imported.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    module, _, names = path.rpartition(".")
    while True:
        try:
            return operator.attrgetter(names)(importlib.import_module(module))
        except ModuleNotFoundError as error:
            if error.name != module or "." not in module:
                raise
        module, _, name = module.rpartition(".")
        names = f"{name}.{names}"
