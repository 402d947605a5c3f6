"""A folder of a user's own modules, imported anew whenever it is asked for."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from sgq_auto.searching import ModelSettings


class Project:
    """The folder of a command, and the modules in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, module: str, text: str) -> None:
        """Write a module, like ``pkg.net``; ``pkg.__init__`` is the package itself."""
        path = self.folder / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def settings(self, target: str = "net.Net", **arguments: Any) -> ModelSettings:
        """The model as a new process meets it."""
        self.forget()
        return ModelSettings.of("custom", {"_target_": target, **arguments})

    def forget(self) -> None:
        """Let every module be imported again."""
        importlib.invalidate_caches()
        for name, module in list(sys.modules.items()):
            held = vars(module) if type(module) is ModuleType else {}
            where = f"{held.get('__file__')} {held.get('__path__')}"
            if str(self.folder) in where:
                del sys.modules[name]
