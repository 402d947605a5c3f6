"""Paths and addresses on the command line, taken as they are typed.

Hydra's grammar gives ``=``, ``,``, brackets and quotes in a value a meaning. A shell completes
``dataset.source.path=my graph=1, é.npz``, and that is the name of a file.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

# Settings that are one path or address.
_LITERAL = re.compile(
    r"dataset\.source\.(path|nodes|edges|root|cache)|model\.checkpoint|data_root|output_root"
    r"|storage\.url"
    r"|tracking\.(uri|artifacts)|engine\.address|hydra\.(run|sweep)\.dir|hydra\.sweep\.subdir"
)
# Settings that are one name, of a column or an experiment.
_TEXT = re.compile(r"dataset\.source\.(id|label|split)|tracking\.experiment")
# Settings that a user's own class gives a meaning: paths where something is there.
_OWN = re.compile(r"(dataset\.source|model)\.\w+")
# What Hydra reads without quotes, as text, a number or null.
_PLAIN = re.compile(r"[A-Za-z0-9_./\-+ ]*")
_OVERRIDE = re.compile(r"(?P<plus>\+{0,2})(?P<key>[\w.$]+)=(?P<value>.*)", re.DOTALL)
# What Hydra and OmegaConf read: a quoted string, a list, a dictionary, a sweep, a resolver.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_COLLECTION = re.compile(r"\[.*\]|\{.*:.*\}|\{\}", re.DOTALL)
_SWEEP = re.compile(r"(choice|range|glob|interval|shuffle|sort|tag)\(.*\)", re.DOTALL)
_INTERPOLATION = re.compile(r"\$\{[\w.:/,\- ]*\}")
# What would begin a resolver, with the backslashes before it.
_OPENING = re.compile(r"(\\*)\$\{")
# A backslash that stands before a quote, or before the closing one.
_BEFORE_QUOTE = re.compile(r"(\\+)(?='|$)")
_MULTIRUN = ("-m", "--multirun")


def with_literals(arguments: Sequence[str]) -> list[str]:
    """The arguments of the search command with paths and addresses quoted for Hydra.

    What names a file or folder that is there is taken whole, whatever is in it. Otherwise a value
    in quotes, a list, ``null`` and ``${...}`` keep the meaning that they have for any setting. In a
    multirun (``-m``) a comma parts values, unless the whole names something that is there; a part
    with a comma of its own is put in quotes.
    """
    multirun = any(argument in _MULTIRUN for argument in arguments)
    return [_with_literal(argument, multirun=multirun) for argument in arguments]


def with_own_arguments(overrides: Sequence[str]) -> list[str]:
    """Overrides as Hydra takes them, where ``model=custom`` has arguments that no file names."""
    if "model=custom" not in overrides:
        return list(overrides)
    return [f"++{each}" if each.startswith("model.") else each for each in overrides]


def as_typed(override: str) -> str:
    """An override as people type it: without the quotes that :func:`with_literals` puts."""
    match = _OVERRIDE.fullmatch(override)
    if match is None or not (_LITERAL.fullmatch(match["key"]) or _TEXT.fullmatch(match["key"])):
        return override
    if not _QUOTED.fullmatch(match["value"]) or match["value"][0] == '"':
        return override
    value = _unquoted(match["value"])
    typed = f"{match['plus']}{match['key']}={value}"
    # Whatever is on the disk where it is repeated.
    plain = not _meant_for_hydra(value) and value != "" and not value.startswith("~")
    return typed if plain and _with_literal(typed, multirun=False) == override else override


def _with_literal(argument: str, *, multirun: bool) -> str:
    match = _OVERRIDE.fullmatch(argument)
    if match is None or not _is_literal(match["key"], match["value"]):
        return argument
    value = match["value"]
    if value and _exists(value):
        value = _quoted(_escaped(value))
    elif multirun and _SWEEP.fullmatch(value):
        return argument
    elif multirun:
        value = ",".join(_value(part.strip()) for part in _parts(value))
    else:
        value = _value(value)
    return f"{match['plus']}{match['key']}={value}"


def _is_literal(key: str, value: str) -> bool:
    if _LITERAL.fullmatch(key):
        return True
    if _PLAIN.fullmatch(value):
        return False  # A number stays a number.
    return bool(_TEXT.fullmatch(key)) or (bool(_OWN.fullmatch(key)) and _exists(value))


def _value(value: str) -> str:
    if _exists(value):
        return _quoted(_escaped(value))
    if _meant_for_hydra(value) or value == "":
        return value
    if value == "~" or value.startswith("~/"):
        value = str(Path(value).expanduser())
    return _quoted(_escaped(value))


def _meant_for_hydra(value: str) -> bool:
    forms = (_QUOTED, _COLLECTION)
    return value.lower() == "null" or any(form.fullmatch(value) for form in forms)


def _exists(value: str) -> bool:
    try:
        return value != "" and Path(value).exists()
    except (OSError, ValueError):  # Too long, or a zero byte in it.
        return False


def _escaped(value: str) -> str:
    """``${`` that begins no resolver, or is in the name of a file that is there, is text."""
    there = _exists(value)

    def escape(match: re.Match[str]) -> str:
        if not there and _INTERPOLATION.match(value, match.end() - 2):
            return match[0]
        return f"{2 * match[1]}\\${{"

    return _OPENING.sub(escape, value)


def _parts(value: str) -> Iterator[str]:
    """The values between the commas that are in no quotes, brackets or ``${...}``."""
    part, depth, quote = "", 0, ""
    for character in value:
        if quote:
            quote = "" if character == quote and not part.endswith("\\") else quote
        elif character in "'\"" and not part.strip():
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        if character == "," and not quote and not depth:
            yield part
            part = ""
        else:
            part += character
    yield part


def _quoted(text: str) -> str:
    """Hydra's quoted string: backslashes count double only before a quote."""
    doubled = _BEFORE_QUOTE.sub(r"\1\1", text)
    return "'" + doubled.replace("'", "\\'") + "'"


def _unquoted(value: str) -> str:
    inner = value[1:-1]
    inner = re.sub(r"(\\+)'", lambda m: "\\" * (len(m[1]) // 2) + "'", inner)
    return re.sub(r"(\\+)$", lambda m: "\\" * (len(m[1]) // 2), inner)
