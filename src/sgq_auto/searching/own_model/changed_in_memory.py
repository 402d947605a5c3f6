"""Own modules that differ in memory from their files, which worker processes import."""

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from sgq_auto.errors import InputError
from sgq_auto.searching.own_model.module_sources import source_of


def refuse_changed_in_memory(modules: Iterable[str]) -> None:
    """Refuse modules that were edited after this process imported them, or changed within it.

    Raises:
        InputError: If a function or a constant is another one than its file has.
    """
    for name in modules:
        module = sys.modules.get(name)
        # Other loaders change what they load, as pytest's does.
        if module is None or type(getattr(module, "__loader__", None)) is not SourceFileLoader:
            continue
        what = _changed(module)
        if what is not None:
            raise InputError(
                f"{name}: {what} is not what {module.__file__} has: the file was edited after this "
                "process imported it, and worker processes would run the new one; call "
                f"importlib.reload for {name} and for what imports it, or start Python anew"
            )


def _changed(module: ModuleType) -> str | None:
    """The name of a function or constant that differs from the module's file."""
    source = source_of(module.__name__)
    try:
        tree = ast.parse(source or b"")
        compiled = compile(source or b"", str(module.__file__), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    written: dict[str, list[Any]] = {}
    for code in _nested(compiled):
        written.setdefault(code.co_qualname, []).append(_content(code))
    for code in _loaded(module):
        if code.co_qualname in written and _content(code) not in written[code.co_qualname]:
            return code.co_qualname
    for name, value in _constants(tree):
        held = vars(module).get(name, value)
        if (type(held), repr(held)) != (type(value), repr(value)):
            return name
    return None


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _content(code: CodeType) -> Any:
    """What a code object does, wherever it stands in its file."""
    constants = tuple(_constant(constant) for constant in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _content(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _loaded(module: ModuleType) -> Iterator[CodeType]:
    """The code of functions and methods that a module has from its own file."""
    values = list(vars(module).values())
    values += [
        member
        for value in values
        if isinstance(value, type) and value.__module__ == module.__name__
        for member in vars(value).values()
    ]
    for value in values:
        code = getattr(getattr(value, "__func__", value), "__code__", None)
        if isinstance(code, CodeType) and code.co_filename == module.__file__:
            yield code


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Numbers, strings and tuples of them that a module binds a name to, once and for all."""
    stored = Counter(
        name
        for node in ast.walk(tree)
        for name in (
            [node.id]
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            else 2 * node.names
            if isinstance(node, ast.Global)
            else []
        )
    )
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and stored[target.id] == 1:
                try:
                    value = ast.literal_eval(node.value)
                except (ValueError, TypeError):
                    continue
                if isinstance(value, int | float | str | tuple):
                    yield target.id, value
