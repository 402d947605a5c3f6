"""Classes that are called as missing values are, and how to say that they are none."""

from collections.abc import Sequence

# As many tools write that a value is missing.
_MISSING = frozenset(
    [
        *("na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "nil", "none", "(none)", "nothing"),
        *("missing", "unknown", "undefined", "undef", "unspecified", "unlabelled", "unlabeled"),
        *("not_available", "not available", "?", "??", "-", "--", ".", "-1", "-1.0"),
    ]
)


def called_missing(names: Sequence[str]) -> list[str]:
    """Those names of classes that may mean that there is no class."""
    return [name for name in names if name.strip().lower() in _MISSING]


def unlabelled_setting(names: Sequence[str]) -> str:
    """What to set where these names mean that there is no class."""
    written = ",".join(map(_written, names))
    return f"in a table dataset.source.unlabelled=[{written}], and else -1"


def missing_hint(names: Sequence[str]) -> str:
    """The end of a message about classes of these names; nothing where they are real ones."""
    missing = called_missing(names)
    return f"; if it means that there is no label, {unlabelled_setting(missing)}" if missing else ""


def _written(name: str) -> str:
    """A name as Hydra takes it."""
    return name if name.isidentifier() and name.lower() != "null" else repr(name)
