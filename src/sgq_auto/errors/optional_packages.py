"""What a search needs that is installed on its own: looked for before anything is trained."""

import importlib
import importlib.util
import re

from sgq_auto.errors.input_error import InputError

_ENGINES = ("ray", "submitit")
# Drivers by the name of SQLAlchemy's dialect; the first is the one of this project's extra.
_DRIVER = re.compile(r"postgres(?:ql)?(?:\+(?P<name>\w+))?://")
_DEFAULT_DRIVER, _EXTRA_DRIVER = "psycopg2", "psycopg"


def check_engine(kind: str) -> None:
    """Check that the package of an engine is installed; this machine's own needs none.

    Raises:
        InputError: If it is not: one line that says what to install.
    """
    if kind in _ENGINES and importlib.util.find_spec(kind) is None:
        raise InputError(
            f"engine={kind}: {kind} is not installed; run: pip install 'sgq-auto[{kind}]'"
        )


def check_driver(url: str) -> None:
    """Check that the driver which a database's address names can be imported.

    Raises:
        InputError: If it cannot.
    """
    match = _DRIVER.match(url.strip("'\""))
    if match is None:
        return  # Whatever else it is, the storage says.
    name = match["name"] or _DEFAULT_DRIVER
    try:
        importlib.import_module(name)
    except ImportError as error:
        advice = "run: pip install 'sgq-auto[postgresql]'"
        if name != _EXTRA_DRIVER:
            advice += " and write storage.url=postgresql+psycopg://..."
        raise InputError(f"storage=postgresql: {error}; {advice}") from error
