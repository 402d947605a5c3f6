"""The summaries that people name: by folder, file, study, MLflow run, or as a sweep."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from sgq_auto.comparison.summary_checks import summary_fault
from sgq_auto.errors import InputError
from sgq_auto.searching.search_progress import Summary
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.text.passwords import mask, reveal
from sgq_auto.text.safe_text import one_line
from sgq_auto.tracking.stores import STUDY_TAG, holds_nothing

_FILE = "summary.json"
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def find_summaries(names: Iterable[str], output_root: Path, uri: str) -> list[Summary]:
    """The summaries of the named studies, each study once.

    Args:
        names: Folders of one search or of a multirun, files, names of studies, or MLflow run IDs.
        output_root: Where studies are.
        uri: Where runs are tracked.

    Raises:
        InputError: One line that says which name stands for nothing.
    """
    found = [summary for name in names for summary in _find(name, output_root, uri)]
    return list({(s["study"], s.get("n_trials")): s for s in found}.values())


def _find(name: str, output_root: Path, uri: str) -> list[Summary]:
    path = Path(name)
    if path.is_file():
        return [_read(path)]
    if path.is_dir():
        return _of_folder(path)
    study = StudyFolder.of(output_root, name)
    if study.path.is_dir():
        return _of_folder(study.path)
    if _RUN_ID.fullmatch(name):
        return [_of_run(name, uri)]
    known = [s.name for s in StudyFolder.all_under(output_root) if s.summary.exists()]
    raise InputError(
        f"{name}: there is no such folder, file, study or run; studies under {output_root}: "
        + (", ".join(known) or "none")
    )


def _of_folder(folder: Path) -> list[Summary]:
    """The summary in a folder, or those of its jobs if it is a multirun's."""
    own = folder / _FILE
    jobs = sorted(folder.glob(f"*/{_FILE}"))
    if not own.exists() and not jobs:
        raise InputError(
            f"{folder}: neither it nor a folder in it has a {_FILE}; has its search ended?"
        )
    return [_read(path) for path in ([own] if own.exists() else jobs)]


def _of_run(run_id: str, uri: str) -> Summary:
    if holds_nothing(uri):
        raise InputError(f"{run_id}: there is no tracking store {mask(uri)}; say which with uri=")
    client = MlflowClient(reveal(uri))
    try:
        if STUDY_TAG not in client.get_run(run_id).data.tags:
            raise InputError(f"{run_id}: this run is no study's; give the run that it belongs to")
        with TemporaryDirectory() as scratch:
            return _read(Path(client.download_artifacts(run_id, _FILE, scratch)))
    except (MlflowException, OSError) as error:
        reason = one_line(next(iter(str(error).splitlines()), type(error).__name__))
        raise InputError(f"{run_id}: {mask(uri)} does not give its {_FILE} ({reason})") from error


def _read(path: Path) -> Summary:
    try:
        summary: Summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: it cannot be read as JSON") from error
    fault = summary_fault(summary)
    if fault is not None:
        raise InputError(f"{path}: it is no summary of a search ({fault})")
    return summary
