"""Names of classes: what a graph may bring and an artifact may hold."""

from collections.abc import Sequence


def class_names_fault(names: Sequence[object], num_classes: int) -> str | None:
    """What is wrong with the names of classes, as the rest of a line; ``None`` if nothing is.

    Names are different, not empty, and printable, so that a file cannot steer a terminal.
    """
    if len(names) != num_classes:
        return f"holds {len(names)} names; there are {num_classes} classes"
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            return f"holds {name!r:.60}; a name is printable text of at least one character"
        if name in seen:
            return f"holds {name!r:.60} twice; every class has a name of its own"
        seen.add(name)
    return None
