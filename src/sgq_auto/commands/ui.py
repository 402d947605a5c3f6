"""``python -m sgq_auto.ui``: the MLflow UI on the store that searches write to."""

import os
import shlex
import subprocess
import sys
from typing import NoReturn

from sgq_auto.commands.arguments import answer_about, run_command
from sgq_auto.errors import InputError
from sgq_auto.processes.stop_signals import Stopped
from sgq_auto.task import Metric
from sgq_auto.text.passwords import hide, mask
from sgq_auto.text.safe_text import printable

_USAGE = "python -m sgq_auto.ui [uri=URI] [--port 5000] [--host 127.0.0.1] [OPTION ...]"
_EXPLAINED = """
Opens MLflow's UI on the store that searches in this folder write to, and prints the link to its
view of studies.

  uri=URI       the store: sqlite:///PATH of another folder, or a server, whose link is printed
  --port 5000   the port of the UI
  --host HOST   the address that it listens on; 127.0.0.1: this machine only
  OPTION        any other argument goes to `mlflow ui` as it is; `mlflow ui --help` lists them

Example: python -m sgq_auto.ui --port 5001
"""
_END_SECONDS = 10.0
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
    from sgq_auto.tracking.tracking_settings import default_store

    if uri == hide(default_store()):
        return "python -m sgq_auto.ui"
    return shlex.join(["python", "-m", "sgq_auto.ui", f"{_URI}{uri}"])


def _run(arguments: list[str]) -> None:
    # MLflow's -h takes a host; alone, it asks for help.
    if arguments[-1:] == ["-h"]:
        arguments = [*arguments[:-1], "--help"]
    answer_about([a for a in arguments if a != "-h"], _USAGE, _EXPLAINED)
    from sgq_auto.tracking.stores import holds_nothing
    from sgq_auto.tracking.tracking_settings import URI, default_store, local_store

    given = [a.removeprefix(_URI) for a in arguments if a.startswith(_URI)]
    uri = given[-1] if given else default_store()
    if not given and uri != local_store():
        print(f"{URI}: {mask(uri)}", flush=True)
    rest = [a for a in arguments if not a.startswith(_URI)]
    if holds_nothing(uri):
        raise InputError(
            f"there is no store {mask(uri).removeprefix(_SQLITE)}; run a search here first, "
            "change to the folder that searches were started in, or say which with uri="
        )
    if uri.startswith("http"):
        _print_views(uri, uri.rstrip("/"))  # A server has its UI at its own address.
        return
    _print_views(
        uri, f"http://{_option(rest, _HOSTS, '127.0.0.1')}:{_option(rest, _PORTS, '5000')}"
    )
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, *rest]
    _serve(command)


def _serve(command: list[str]) -> NoReturn:
    """Run the server until it ends, or this command is told to: then it ends as well."""
    server = subprocess.Popen(command, env=_ENVIRONMENT | os.environ)
    try:
        sys.exit(server.wait())
    except KeyboardInterrupt as stop:
        if isinstance(stop, Stopped):
            server.terminate()  # MLflow tells its own processes; Ctrl-C has reached them all.
        try:
            server.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
        if isinstance(stop, Stopped):
            raise
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
    from sgq_auto.tracking.stores import studied_experiments
    from sgq_auto.tracking.views import studies_url

    for experiment, metric in studied_experiments(uri):
        url = studies_url(server, experiment.experiment_id, metric)
        judged = "" if metric is Metric.ACCURACY else f", by {metric.words}"
        print(f"{printable(experiment.name)}{judged}: {url}", flush=True)
