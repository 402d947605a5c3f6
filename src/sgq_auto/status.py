"""``python -m sgq_auto.status``: see :mod:`sgq_auto.commands.status`."""

from sgq_auto.commands.status import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
