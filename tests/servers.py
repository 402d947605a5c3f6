"""Real servers, started and stopped by tests."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

# The server refuses to run as root.
_ACCOUNT = "postgres" if os.geteuid() == 0 else None
_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def postgres_binary(name: str) -> str | None:
    """A program of PostgreSQL on this machine."""
    return shutil.which(name) or next(
        (str(path / name) for path in reversed(_INSTALLED) if (path / name).exists()), None
    )


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


class PostgresServer:
    """A PostgreSQL server with an empty cluster of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.port = free_port()
        if _ACCOUNT:
            shutil.chown(folder, _ACCOUNT)
        self._run(
            "initdb", "-D", str(self.data), "-U", "sgq", "-A", "trust", "-E", "UTF8", "--no-sync"
        )
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 trust\n")
        self._databases = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k '' -c listen_addresses=* -c fsync=off -c max_connections=200"
        self._run(
            *("pg_ctl", "-D", str(self.data), "-l", str(self.log)),
            *("-o", options, "-w", "start"),
        )

    def stop(self) -> None:
        """End every session and stop it."""
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def new_database(self, host: str = "127.0.0.1") -> str:
        """The URL of a fresh database."""
        self._databases += 1
        name = f"study{self._databases}"
        target = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "sgq")
        self._run("createdb", *target, name)
        return f"postgresql+psycopg://sgq@{host}:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        binary = postgres_binary(program)
        assert binary is not None
        subprocess.run(
            [binary, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=_ACCOUNT,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )


class MlflowServer:
    """An MLflow tracking server on a SQLite store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--port", str(self.port)),
                *("--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"),
                *("--artifacts-destination", str(self.folder / "server-artifacts")),
                *("--workers", "1"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # Its background jobs have nothing to do here, and would outlive it.
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health"):
                return
            time.sleep(0.2)
        raise TimeoutError("the MLflow server did not start")

    def stop(self) -> None:
        """Kill it, with everything it had begun."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A running server, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sgq-postgres-"))
    try:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
