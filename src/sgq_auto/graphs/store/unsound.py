"""What is wrong with a stored file, and how a check says it."""


class UnsoundError(ValueError):
    """What is wrong with a stored graph, as the rest of a line."""


def demand(good: bool, fault: str) -> None:
    """Refuse a file of which something does not hold.

    Raises:
        UnsoundError: With ``fault``, unless it is good.
    """
    if not good:
        raise UnsoundError(fault)
