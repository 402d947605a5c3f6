"""``python -m sgq_auto.search``: the main job.

Called, this module is the library's function of the same name, :func:`sgq_auto.library.search`.
"""

import errno
import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sgq_auto.processes import process_context

if __name__ == "__main__":
    process_context()  # First of all: the workers' server imports torch while this process does.

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.exceptions import StorageInternalError

from sgq_auto.config import checked, conf_dir, load_data, search_settings, with_own_arguments
from sgq_auto.errors import InputError
from sgq_auto.searching import run_search
from sgq_auto.tracking import (
    Delivery,
    MlflowTracker,
    ResultFiles,
    Terminal,
    TrackingSettings,
    quiet_libraries,
)
from sgq_auto.training import DivergedError
from sgq_auto.ui import ui_command
from sgq_auto.unknown_settings import unknown_setting

_BAD_INPUT = 2
_INTERRUPTED = 130
_DISK_FULL = "the disk is full; free some space, and the same command goes on where it was"
_NICENESS = 10
# What is in the folder of any run, beside an empty log.
_OF_HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """End the command with one line and status 2 on bad input."""
    try:
        yield
    except DivergedError as error:
        print(f"sgq-auto: {error}", file=sys.stderr)
        sys.exit(1)
    except (InputError, HydraException, OmegaConfBaseException, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print(f"sgq-auto: {_DISK_FULL}", file=sys.stderr)
            sys.exit(1)
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
        message = " ".join(f"{error} {cause or ''}".split())
        said = unknown_setting(message, sys.argv[1:])
        print(f"sgq-auto: {said or message}", file=sys.stderr)
        sys.exit(_BAD_INPUT)


def _yield_to_workers() -> None:
    """Let the worker processes have the cores they want: this one only tracks and prints."""
    process_context()  # Workers descend from the server, which is at full priority.
    if hasattr(os, "nice") and os.getpriority(os.PRIO_PROCESS, 0) < _NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def _task(config: DictConfig) -> None:
    try:
        with _one_line_errors():  # No decorator: launchers of multiruns pickle this function.
            _search(config)
    except SystemExit:
        _remove_if_empty(Path(HydraConfig.get().runtime.output_dir))
        raise


def _remove_if_empty(run: Path) -> None:
    """Remove the folder of a run that ended before it had written anything of its own."""
    files = [path for path in run.rglob("*") if path.is_file() and path.stat().st_size]
    if {str(path.relative_to(run)) for path in files} <= _OF_HYDRA:
        shutil.rmtree(run, ignore_errors=True)


def _search(config: DictConfig) -> None:
    torch.set_num_threads(1)
    quiet_libraries()
    cfg = checked(config)
    hydra_config = HydraConfig.get()
    overrides = list(hydra_config.overrides.task)
    tracking = TrackingSettings.of(cfg.tracking)
    cfg.tracking.update(tracking.as_config())
    settings = search_settings(cfg, hydra_config.runtime.choices, overrides)
    output_dir = Path(hydra_config.runtime.output_dir)
    summary_path = output_dir / "summary.json"
    data = load_data(cfg)
    results = ResultFiles(output_dir)
    tracker = MlflowTracker(tracking, output_dir)
    notes = [*data.notes, *tracker.notes]
    terminal = Terminal(summary_path, results.report, ui_command(tracking.uri), notes)
    delivery = Delivery(tracker, tracking.patience_seconds, terminal.stage)
    _yield_to_workers()
    try:
        outcome = run_search(settings, data, [results, terminal, delivery], summary_path)
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        print(
            f"sgq-auto: the study's database stayed away ({reason}); the same command goes on "
            "where it was",
            file=sys.stderr,
        )
        sys.exit(1)
    finally:
        delivery.stop()
        terminal.stage(None)
    if not delivery.delivered:
        terminal.untracked(tracker.address, settings.study_name(data), settings.output_root)
    if tracker.model_uri:
        terminal.served(tracker.model_uri, tracking.uri)
    if outcome.interrupted:
        sys.exit(_INTERRUPTED)
    if outcome.failure:
        print(f"sgq-auto: {outcome.failure}", file=sys.stderr)
        sys.exit(1)


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    # What users write themselves is imported from where they are, by a console script too.
    sys.path.append(str(Path.cwd()))
    # Hydra would print its own traceback and exit; the exception itself is wanted here.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv[1:] = with_own_arguments(sys.argv[1:])
    try:
        # Once around Hydra for what it refuses itself, once inside it for the job's own errors.
        with _one_line_errors():
            _task()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


class _CallableModule(ModuleType):
    """A module that shares its name in the package with a function of the library."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call :func:`sgq_auto.library.search`."""
        return importlib.import_module("sgq_auto.library").search(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    main()
