"""``python -m sgq_auto.search``: see :mod:`sgq_auto.commands.search`."""

from sgq_auto.commands.search import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
