"""``python -m sgq_auto.infer``: see :mod:`sgq_auto.commands.infer`."""

from sgq_auto.commands.infer import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
