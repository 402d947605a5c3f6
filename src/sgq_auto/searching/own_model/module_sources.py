"""The user's own modules behind a class or function, and what they say.

Own is what is neither the standard library, nor installed into ``site-packages``, nor this package,
PyG or torch: those change with their versions. A package installed in editable mode is own.
"""

import ast
import hashlib
import importlib.util
import io
import sys
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

_INSTALLED = {"sgq_auto", "torch", "torch_geometric", *sys.stdlib_module_names}
_INSTALLED_FOLDERS = {"site-packages", "dist-packages"}
_STANDARD = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib"))
# Tokens that say nothing to Python.
_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
_SILENT |= {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def is_own(module: str) -> bool:
    """Whether a module is the user's own; one that cannot be found is not."""
    top = module.partition(".")[0]
    if top in _INSTALLED:
        return False
    return any(_is_own_path(path) for path in _paths(top))


def own_sources(roots: Iterable[str]) -> dict[str, str]:
    """Hashes of the sources of modules and of all own modules that they import, by module name.

    Imports are found in the sources, also those inside functions, and among what modules that are
    loaded already hold. Comments, empty lines and what stands under ``if __name__ == "__main__"``
    are left out: editing those changes nothing.

    Args:
        roots: Names of classes and functions; their modules are taken whether own or not.
    """
    first = {module for root in roots for module in _with_packages(root)}
    found: dict[str, str] = {}
    asked, waiting = set(), list(first)
    while waiting:
        name = waiting.pop()
        if name in asked:
            continue
        asked.add(name)
        own = is_own(name)
        source = source_of(name) if own or name in first else None
        if source is not None:
            found[name] = hashlib.sha256(essence(source)).hexdigest()
            if own:
                waiting += [*_imports(source, name), *_held(sys.modules.get(name))]
    return dict(sorted(found.items()))


def targets_of(node: Any) -> list[str]:
    """Everything that a configuration names to be called, the outermost first."""
    found = []
    if isinstance(node, Mapping):
        found += [str(node["_target_"])] if "_target_" in node else []
        node = list(node.values())
    if isinstance(node, list | tuple):
        found += [target for value in node for target in targets_of(value)]
    return found


def source_of(module: str) -> bytes | None:
    """The file of a module, or ``None`` where there is none to read."""
    loaded, spec = sys.modules.get(module), _spec(module)
    path = getattr(loaded, "__file__", None) or (spec.origin if spec else None)
    try:
        return Path(path).read_bytes() if path else None
    except OSError:
        pass
    try:  # Of an archive.
        text = spec.loader.get_source(module) if spec else None  # type: ignore[union-attr]
    except (ImportError, AttributeError):
        return None
    return None if text is None else text.encode()


def essence(source: bytes) -> bytes:
    """A source without comments, empty lines and what only a script runs; others as they are."""
    try:
        skipped = {row for node in _main_blocks(ast.parse(source)) for row in node}
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return source
    lines = ["", *(line.rstrip("\r\n") for line in io.StringIO(_text(source)))]
    kept: set[int] = set()
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row] = lines[row][:column].rstrip()
        elif token.type not in _SILENT:
            kept.update(range(token.start[0], token.end[0] + 1))
    return "\n".join(lines[row] for row in sorted(kept - skipped)).encode()


def _text(source: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return source.decode(encoding).replace("\r\n", "\n")


def _main_blocks(tree: ast.Module) -> Iterator[range]:
    """Lines under ``if __name__ == "__main__"``, which no import runs."""
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _imports(source: bytes, module: str) -> Iterator[str]:
    """Names of modules that a source imports anywhere, and of the packages around them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    package = _package(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = _imported_from(node, package)
        elif isinstance(node, ast.Call):
            names = _imported_by_call(node, package)
        else:
            continue
        for name in names:
            yield from _with_packages(name)


def _with_packages(name: str) -> list[str]:
    """A dotted name and all that it begins with."""
    parts = name.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _imported_from(node: ast.ImportFrom, package: str) -> list[str]:
    base = _absolute("." * node.level + (node.module or ""), package)
    return [] if base is None else [base, *(f"{base}.{alias.name}" for alias in node.names)]


def _imported_by_call(node: ast.Call, package: str) -> list[str]:
    """``importlib.import_module("name")`` and ``__import__("name")``."""
    called = ast.unparse(node.func).rpartition(".")[2]
    if called not in ("import_module", "__import__") or not node.args:
        return []
    argument = node.args[0]
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        return []
    name = _absolute(argument.value, package)
    return [] if name is None else [name]


def _absolute(name: str, package: str) -> str | None:
    try:
        return importlib.util.resolve_name(name, package) if name else None
    except ImportError:
        return None


def _held(module: ModuleType | None) -> Iterator[str]:
    """Where the modules, classes and functions that a module holds are from."""
    for value in list(vars(module).values()) if module else ():
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, type | FunctionType) and isinstance(value.__module__, str):
            yield value.__module__


def _package(module: str) -> str:
    loaded, spec = sys.modules.get(module), _spec(module)
    held = getattr(loaded, "__package__", None)
    return str(held or (spec.parent if spec else "") or "")


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is from; nothing is imported to find out."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__spec__", None)
    package, _, _ = module.rpartition(".")
    try:
        if not package:
            return importlib.util.find_spec(module)
        folders = getattr(_spec(package), "submodule_search_locations", None)
        return PathFinder.find_spec(module, folders) if folders else None
    except (ImportError, ValueError):
        return None


def _paths(module: str) -> list[Path]:
    """The file of a module, or the folders of a package that has none."""
    spec = _spec(module)
    file = getattr(sys.modules.get(module), "__file__", None) or (spec.origin if spec else None)
    if file in ("built-in", "frozen"):
        return []
    folders = (spec.submodule_search_locations if spec else None) or []
    return [Path(path) for path in ([file] if file else folders)]


def _is_own_path(path: Path) -> bool:
    whole = path.resolve()
    if _INSTALLED_FOLDERS & {*path.parts, *whole.parts}:
        return False
    return not any(whole.is_relative_to(folder) for folder in _STANDARD)
