"""What the library's functions are called with, checked: one line says what is wrong."""

import operator
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any

from torch import nn

from sgq_auto.errors import InputError, did_you_mean
from sgq_auto.packed.allocation import FULL_PRECISION, MAX_CODE_BITS, is_bit_width

_WIDTHS = f"1 to {MAX_CODE_BITS}, or {FULL_PRECISION} for full precision"


def target_of(model: Any) -> str:
    """The name by which worker processes import a model's class, or the function that makes it.

    Raises:
        InputError: If it is no such thing, or they cannot import it.
    """
    module, name = getattr(model, "__module__", None), getattr(model, "__qualname__", None)
    if not callable(model) or not module or not name:
        raise InputError(
            f"model: {model!r:.60} has no name to import it by; give a class, or a function that "
            "is defined with def"
        )
    if "<" in name:
        where = "a lambda" if "<lambda>" in name else f"{name}, defined inside a function"
        raise InputError(
            f"model: {where}; worker processes import the model, so define it at the top of a file"
        )
    if module == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        raise InputError("the model is defined in an interactive session; define it in a file")
    return f"{module}.{name}"


def refuse_unmade(model: object) -> None:
    """Refuse a model's class, or anything else, in place of a model.

    Raises:
        InputError: If it is no module of torch.
    """
    if not isinstance(model, nn.Module):
        name = getattr(model, "__name__", type(model).__name__)
        raise InputError(f"model: {name} is no model; give one that is made, like MyNet(32, 4)")


def refuse_other_kinds(arguments: object, overrides: object) -> None:
    """Refuse arguments of ``search`` that are easily mistaken.

    Raises:
        InputError: If one is of another type.
    """
    if arguments is not None and not isinstance(arguments, Mapping):
        raise InputError(
            f"arguments is a {type(arguments).__name__}; give a dict, like {{'hidden': 16}}"
        )
    for name, value in (arguments or {}).items():
        strange = _strange(value)
        if strange is not None:
            raise InputError(
                f"arguments: {name} holds a {type(strange).__name__}; give numbers, strings, lists "
                "or dicts, which a study keeps: a model that fails with a list of numbers is given "
                "it as a tensor"
            )
    plain = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    if not plain or not all(isinstance(each, str) for each in overrides):  # type: ignore[attr-defined]
        raise InputError(
            f"overrides={overrides!r:.60}: give a list of strings, like ['finetune.epochs=50']"
        )


def _strange(value: Any) -> Any:
    """What in a value cannot be kept as text; ``None`` where all can."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next((found for each in value if (found := _strange(each)) is not None), None)
    known = value is None or isinstance(value, bool | int | float | str | PurePath | Enum)
    return None if known else value


def widths_of_groups(bits: object, groups: Sequence[str]) -> dict[str, int]:
    """The bit-width of every group.

    Args:
        bits: One width for all, or a width for each group.
        groups: Names of the groups.

    Raises:
        InputError: If a width is none, or a group is unknown or missing.
    """
    if not isinstance(bits, Mapping):
        return dict.fromkeys(groups, _width(bits, "bits"))
    unknown = [name for name in bits if name not in groups]
    missing = [name for name in groups if name not in bits]
    if unknown or missing:
        parts = []
        if unknown:
            first = str(unknown[0])
            kind = "is no group" + did_you_mean(first, missing or groups)
            others = f" (nor are {', '.join(map(str, unknown[1:]))})" if unknown[1:] else ""
            parts.append(f"{first!r} {kind}{others}")
        if missing:
            parts.append(f"no width is given for {', '.join(missing)}")
        raise InputError(f"bits: {'; '.join(parts)}; the groups are {', '.join(groups)}")
    return {name: _width(bits[name], f"bits of {name}") for name in groups}


def _width(value: Any, name: str) -> int:
    try:
        width = operator.index(value)  # Of numpy's and torch's integers too.
    except TypeError:
        width = None
    if isinstance(value, bool) or width is None or not is_bit_width(width):
        raise InputError(f"{name}: {value!r:.40} is no bit-width; take {_WIDTHS}")
    return int(width)
