"""What is misspelt on the command line of a search, found before anything large is imported."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import get_args, get_origin

from sgq_auto.configuration.configuration_files import ConfTree, Setting
from sgq_auto.configuration.schema import CHOICES, Schema
from sgq_auto.errors import InputError, did_you_mean
from sgq_auto.errors.optional_packages import check_driver, check_engine

_OVERRIDE = re.compile(r"(?P<prefix>\+\+|\+|~)?(?P<key>[^=]*)(?P<equals>=)?(?P<value>.*)", re.S)
# Values of a sweep that are all names: a,b,c.
_NAMES = re.compile(r"[\w.]+(,[\w.]+)*")
# Values of settings whose types OmegaConf does not know, by what stands in their file.
_UNTYPED = ("dataset.", "model.", "sampler.")
_WHOLE = re.compile(r"[+-]?\d[\d_]*")
_NUMBER = re.compile(r"[+-]?(\.?\d[\d_.]*(e[+-]?\d+)?|inf|nan)", re.I)
_TRUTH = re.compile(r"true|false", re.I)
_KINDS = ((_TRUTH, "true or false"), (_WHOLE, "a whole number"), (_NUMBER, "a number"))
# Flags of Hydra, by their long names; those that take a value, and those that change the files.
_FLAGS = {
    "--help": "-h", "--version": "-V", "--hydra-help": None, "--cfg": "-c", "--resolve": None,
    "--package": "-p", "--run": "-r", "--multirun": "-m", "--shell-completion": "-sc",
    "--config-path": "-cp", "--config-name": "-cn", "--config-dir": "-cd", "--info": "-i",
}  # fmt: skip
_WITH_VALUE = {"--cfg", "--package", "--config-path", "--config-name", "--config-dir", "--info"}
_OTHER_FILES = {"--config-path", "--config-name", "--config-dir"}
_MODES = ("--cfg", "--info", "--run", "--multirun", "--shell-completion")
_OWN = "custom"


@dataclass(frozen=True)
class _Given:
    """A setting as it is given."""

    prefix: str
    key: str
    value: str | None

    @property
    def values(self) -> list[str]:
        """The values of a sweep of names, or the one name; nothing of anything else."""
        value = (self.value or "").strip("'\"")
        return value.split(",") if _NAMES.fullmatch(value) else []


def check_arguments(arguments: Sequence[str], tree: ConfTree) -> None:
    """Check names of settings, groups' choices, closed choices of values, and optional packages.

    What it does not understand it lets pass: Hydra checks everything once more.

    Raises:
        InputError: One line that names what is wrong and what was probably meant.
    """
    given, flags = _parted(arguments)
    if _OTHER_FILES & set(flags) or any(g.key.startswith("hydra.searchpath") for g in given):
        return  # There may be more settings than these files have.
    chosen = tree.chosen(_choices(given, tree))
    known = tree.settings(chosen)
    for each in given:
        if not each.key.startswith("hydra") and "@" not in each.key and each.prefix != "~":
            _check_setting(each, known, tree, own_model=_OWN in chosen["model"])
    if not {"--cfg", "--info"} & set(flags):
        _check_extras(given, chosen)


def chosen_files(arguments: Sequence[str], tree: ConfTree) -> dict[str, Sequence[str]]:
    """The choices of every group that the arguments make, defaults among them.

    Raises:
        InputError: If a group has no such choice.
    """
    return tree.chosen(_choices(_parted(arguments)[0], tree))


def _check_extras(given: Sequence[_Given], chosen: Mapping[str, Sequence[str]]) -> None:
    for engine in chosen["engine"]:
        check_engine(engine)
    if "postgresql" in chosen["storage"]:
        for each in given:
            if each.key == "storage.url":
                check_driver(each.value or "")


def _parted(arguments: Sequence[str]) -> tuple[list[_Given], list[str]]:
    """The settings and the flags, by their long names."""
    given: list[_Given] = []
    flags: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("-"):
            flags.append(_flag(argument))
            if flags[-1] in _WITH_VALUE and "=" not in argument:
                next(rest, None)
            continue
        match = _OVERRIDE.fullmatch(argument)
        assert match is not None
        if not match["equals"] and match["prefix"] != "~":
            raise InputError(
                f"{argument}: a setting is written NAME=VALUE, without spaces around =; a value "
                "with spaces goes in quotes"
            )
        value = match["value"] if match["equals"] else None
        given.append(_Given(match["prefix"] or "", match["key"], value))
    modes = [flag for flag in flags if flag in _MODES]
    if len(set(modes)) > 1:
        raise InputError(f"{modes[0]} and {modes[1]}: give one of them")
    return given, flags


def _flag(argument: str) -> str:
    name = argument.partition("=")[0]
    found = [long for long, short in _FLAGS.items() if name in (long, short)]
    if not found and name.startswith("--") and len(name) > 3:
        found = [long for long in _FLAGS if long.startswith(name)]
    if not found:
        hint = did_you_mean(name, _FLAGS)
        raise InputError(f"{name}: there is no such option{hint}; --help lists them")
    return found[0]


def _choices(given: Sequence[_Given], tree: ConfTree) -> dict[str, list[str]]:
    """The chosen files of groups.

    Raises:
        InputError: If a group has no such choice.
    """
    found: dict[str, list[str]] = {}
    for each in given:
        names = tree.choices.get(each.key)
        if names is None or each.prefix:
            continue
        for value in each.values:
            if value not in names:
                hint = did_you_mean(value, names)
                raise InputError(
                    f"{each.key}={value}: there is no such choice{hint}; there are "
                    f"{', '.join(names)}"
                )
        # Of choices that are not plain names, as glob(*), everything is possible.
        found[each.key] = each.values or list(names)
    return found


def _check_setting(
    given: _Given, known: Mapping[str, Setting], tree: ConfTree, *, own_model: bool
) -> None:
    name = given.key
    if name in tree.choices or (own_model and name.startswith("model.")):
        return
    if given.prefix:
        _check_added(name, known)
    elif name not in known:
        raise InputError(no_such_setting(name, known))
    for value in given.values:
        if name in known and name.startswith(_UNTYPED):
            _check_kind(name, value, known[name].value)
        _check_type(name, value)
        if value not in CHOICES.get(name, (value,)):
            hint = did_you_mean(value, CHOICES[name])
            raise InputError(f"{name}={value}: choose one of {', '.join(CHOICES[name])}{hint}")


def _check_kind(name: str, value: str, default: str) -> None:
    """Check a value against the one in the file, where that is a number or a truth value."""
    if value.lower() == "null":
        return
    for kind, words in _KINDS:
        if kind.fullmatch(default):
            if not kind.fullmatch(value):
                raise InputError(f"{name}={value}: it must be {words}, like {default}")
            return


def _check_type(name: str, value: str) -> None:
    """Check a number of the schema; OmegaConf checks the other types."""
    if value.lower() == "null":
        return
    for kind, pattern, words in ((int, _WHOLE, "a whole number"), (float, _NUMBER, "a number")):
        if kind in _types(name) and not pattern.fullmatch(value):
            raise InputError(f"{name}={value}: it must be {words}")


def _types(name: str) -> tuple[object, ...]:
    """What a setting may be by the schema; nothing where that does not know it."""
    kind: object = Schema
    for part in name.split("."):
        if not (isinstance(kind, type) and is_dataclass(kind)):
            return ()
        kind = {field.name: field.type for field in fields(kind)}.get(part)
    return get_args(kind) if get_origin(kind) is UnionType else (kind,)


def _check_added(name: str, known: Collection[str]) -> None:
    """Check a setting with ``+``, which need not be there but must have a place."""
    kind: object = Schema
    for part in name.split("."):
        if not (isinstance(kind, type) and is_dataclass(kind)):
            return
        types = {field.name: field.type for field in fields(kind)}
        if part not in types:
            raise InputError(no_such_setting(name, known))
        kind = next(iter(get_args(types[part])), types[part])


def no_such_setting(name: str, known: Collection[str]) -> str:
    """What to say of a setting that does not exist.

    Args:
        name: Its whole name.
        known: The whole names of all there are.
    """
    group, _, own = name.rpartition(".")
    beside = [k.rpartition(".")[2] for k in known if k.rpartition(".")[0] == group]
    hint = did_you_mean(own, beside) if beside else did_you_mean(name, known)
    # A setting that stands in a group, given without it.
    inside = [k for k in known if k.rpartition(".")[2] == own]
    if not hint and len(inside) in (1, 2):
        hint = f"; did you mean {' or '.join(map(repr, inside))}?"
    if beside and not hint:
        hint = f"; there are {', '.join(beside)}"
    return f"{name}: there is no such setting{hint}"
