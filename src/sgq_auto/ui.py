"""``python -m sgq_auto.ui``: see :mod:`sgq_auto.commands.ui`."""

from sgq_auto.commands.ui import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
