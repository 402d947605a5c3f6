"""``python -m sgq_auto.restore``: see :mod:`sgq_auto.commands.restore`."""

from sgq_auto.commands.restore import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
