"""``python -m sgq_auto.compare``: see :mod:`sgq_auto.commands.compare`."""

from sgq_auto.commands.compare import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
