"""``python -m sgq_auto.merge``: see :mod:`sgq_auto.commands.merge`."""

from sgq_auto.commands.merge import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
