"""``python -m sgq_auto.sync``: see :mod:`sgq_auto.commands.sync`."""

from sgq_auto.commands.sync import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
