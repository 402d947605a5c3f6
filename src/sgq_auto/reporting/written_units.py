"""How sizes and accuracies are written for people."""


def kib(num_bytes: float) -> str:
    """Bytes in KiB, like ``97.1 KiB``."""
    return f"{num_bytes / 1024:,.1f} KiB"


def percent(fraction: float) -> str:
    """A fraction in percent, like ``81.5 %``."""
    return f"{100 * fraction:.1f} %"


def points(count: float) -> str:
    """Percentage points as they are set, like ``0.4 points``."""
    return f"{count:g} point{'' if count == 1 else 's'}"
