"""``python -m sgq_auto.export``: see :mod:`sgq_auto.commands.export`."""

from sgq_auto.commands.export import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
