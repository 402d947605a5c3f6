"""One search of the search command: from a checked configuration to the answer."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from optuna.exceptions import StorageInternalError

from sgq_auto.commands.command_process import FAILED, end
from sgq_auto.commands.ui import ui_command
from sgq_auto.configuration import as_typed
from sgq_auto.configuration.checked_settings import load_data, search_settings
from sgq_auto.processes.fork_server import process_context
from sgq_auto.processes.stop_signals import interrupted_status
from sgq_auto.reporting import ResultFiles, Terminal, quiet_libraries
from sgq_auto.searching import run_search
from sgq_auto.searching.study.study_folder import search_notes
from sgq_auto.text.passwords import mask_files
from sgq_auto.tracking import Delivery, MlflowTracker, TrackingSettings
from sgq_auto.training import DivergedError

_NICENESS = 10
# What is in the folder of any run, beside an empty log.
_OF_HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}


def run_job(cfg: Any) -> None:
    """Run a search in the folder that Hydra made for it; what it leaves empty is removed.

    Args:
        cfg: The checked configuration.

    Raises:
        InputError: If the graph, the model or a setting is malformed.
        SystemExit: If the search ended early.
    """
    try:
        _search(cfg)
    except BaseException:
        _remove_if_empty(Path(HydraConfig.get().runtime.output_dir))
        raise


def _search(cfg: Any) -> None:
    torch.set_num_threads(1)
    quiet_libraries()
    hydra_config = HydraConfig.get()
    _mask_hydra_files(hydra_config)
    overrides = [as_typed(override) for override in hydra_config.overrides.task]
    tracking = TrackingSettings.of(cfg.tracking)
    cfg.tracking.update(tracking.as_config())
    settings = search_settings(cfg, hydra_config.runtime.choices, overrides)
    output_dir = Path(hydra_config.runtime.output_dir)
    summary_path = output_dir / "summary.json"
    data = load_data(cfg)
    results = ResultFiles(output_dir)
    tracker = MlflowTracker(tracking, output_dir)
    notes = [*data.notes, *search_notes(settings, data), *tracker.notes]
    terminal = Terminal(summary_path, results.report, ui_command(tracking.uri), notes)
    delivery = Delivery(tracker, tracking.patience_seconds, terminal.stage)
    _yield_to_workers()
    try:
        outcome = run_search(settings, data, [results, terminal, delivery], summary_path)
    except DivergedError as error:
        end(error, str(error), FAILED)
    except StorageInternalError as error:
        reason = next(iter(str(error.__cause__ or error).splitlines()), "")
        stayed = f"the study's database stayed away ({reason})"
        end(error, f"{stayed}; the same command continues where it stopped", FAILED)
    finally:
        delivery.stop()
        terminal.stage(None)
    if outcome.summary and not delivery.delivered:
        terminal.untracked(tracker.address, outcome.summary["study"], settings.output_root)
    if tracker.model_uri:
        terminal.served(tracker.model_uri, tracking.uri)
    if outcome.interrupted:
        sys.exit(interrupted_status())
    if outcome.failure:
        end(None, outcome.failure, FAILED)


def _mask_hydra_files(hydra_config: Any) -> None:
    """Mask what Hydra wrote of files of settings; the command line came to it without passwords."""
    run, sweep = Path(hydra_config.runtime.output_dir), Path(hydra_config.sweep.dir)
    mask_files(*(run / name for name in _OF_HYDRA), sweep / "multirun.yaml")


def _yield_to_workers() -> None:
    """Let the worker processes have the cores they want: this one only tracks and prints."""
    process_context()  # Workers descend from the server, which is at full priority.
    if hasattr(os, "nice") and os.getpriority(os.PRIO_PROCESS, 0) < _NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def _remove_if_empty(run: Path) -> None:
    """Remove the folder of a run that ended before it had written anything of its own."""
    files = [path for path in run.rglob("*") if path.is_file() and path.stat().st_size]
    if {str(path.relative_to(run)) for path in files} <= _OF_HYDRA:
        shutil.rmtree(run, ignore_errors=True)
