"""``python -m sgq_auto.ui``: the MLflow UI on the store that searches write to."""

import os
import shlex
import subprocess
import sys

from sgq_auto.arguments import run_command
from sgq_auto.errors import InputError
from sgq_auto.searching.command_lines import masked
from sgq_auto.tracking.settings import URI, default_store, local_store
from sgq_auto.tracking.stores import holds_nothing, studied_experiments
from sgq_auto.tracking.views import view_url

_SQLITE = "sqlite:///"
_URI = "uri="
_PORTS = ("--port", "-p")
_HOSTS = ("--host", "-h")
# No usage data is sent from here, and the server runs no jobs: there are none.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def main() -> None:
    """Open the UI; arguments besides ``uri=`` (like ``--port 5001``) go to ``mlflow ui``."""
    run_command(_run)


def ui_command(uri: str) -> str:
    """What opens the UI on the store ``uri`` from here, MLflow's variables as they are."""
    if uri == default_store():
        return "python -m sgq_auto.ui"
    return shlex.join(["python", "-m", "sgq_auto.ui", f"{_URI}{uri}"])


def _run(arguments: list[str]) -> None:
    given = [a.removeprefix(_URI) for a in arguments if a.startswith(_URI)]
    uri = given[-1] if given else default_store()
    if not given and uri != local_store():
        print(f"{URI}: {masked(uri)}", flush=True)
    rest = [a for a in arguments if not a.startswith(_URI)]
    if holds_nothing(uri):
        raise InputError(
            f"there is no store {masked(uri).removeprefix(_SQLITE)}; run a search here first, "
            "change to the folder that searches were started in, or say which with uri="
        )
    if uri.startswith("http"):
        _print_views(uri, uri.rstrip("/"))  # A server has its UI at its own address.
        return
    _print_views(
        uri, f"http://{_option(rest, _HOSTS, '127.0.0.1')}:{_option(rest, _PORTS, '5000')}"
    )
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, *rest]
    try:
        sys.exit(subprocess.call(command, env=_ENVIRONMENT | os.environ))
    except KeyboardInterrupt:
        sys.exit(0)


def _option(arguments: list[str], names: tuple[str, ...], default: str) -> str:
    """The value of an option of ``mlflow ui``, given apart or after ``=``."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else next(iter(arguments[place + 1 :]), default)
    return default


def _print_views(uri: str, server: str) -> None:
    """Print where the studies of the store are compared."""
    for experiment in studied_experiments(uri):
        print(f"{experiment.name}: {view_url(server, experiment.experiment_id)}", flush=True)


if __name__ == "__main__":
    main()
