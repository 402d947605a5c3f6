"""The confirm stage: the front on fresh seeds and unseen nodes. Only here test labels are read."""

import json
import multiprocessing
import statistics
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

import torch

from sgq_auto.errors import InputError
from sgq_auto.graphs.store import load_graph, load_labels
from sgq_auto.processes import process_context
from sgq_auto.searching.drops import DropEvidence, drop_evidence, estimate_drop
from sgq_auto.searching.folder import StudyFolder
from sgq_auto.searching.repeats import Estimate
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.stages import OnStage, Stage
from sgq_auto.searching.trial_checks import is_count, is_share, shown
from sgq_auto.searching.work import quiet_process
from sgq_auto.searching.workbench import Workbench, mean_probabilities, pretrain_model
from sgq_auto.training import DivergedError, predict

# Ladder positions by trial; full precision is ``None``, and has none.
Params = Mapping[int | None, Mapping[str, int] | None]
# Full-precision models that neither teach nor are compared, and say what drop they expect.
_REFERENCES = 3
_REFERENCE_TEXT = "training full-precision models on fresh seeds"


@dataclass(frozen=True)
class ConfirmRow:
    """One model trained in the confirm stage.

    Attributes:
        seed: Its fresh seed.
        trial: The trial whose allocation it has, or ``None`` at full precision.
        params: Ladder positions of that trial by group; a row counts for no other allocation,
            whatever became of the study.
        val_accuracy: Validation accuracy, 0..1.
        test_accuracy: Test accuracy, 0..1.
        evidence: What is known of its drop from full precision without test labels.
    """

    seed: int
    trial: int | None
    params: Mapping[str, int] | None
    val_accuracy: float
    test_accuracy: float
    evidence: DropEvidence

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The row of a line of JSON.

        Raises:
            InputError: If its values are of other types, or out of range.
            ValueError: If it is none: cut short, or an earlier version's.
        """
        try:
            values = json.loads(line)
            row = cls(**values | {"evidence": DropEvidence(**values["evidence"])})
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"no row: {line!r}") from error
        row._check()
        return row

    def _check(self) -> None:
        params, evidence = self.params, asdict(self.evidence).values()
        sound = (
            is_count(self.seed)
            and (self.trial is None or is_count(self.trial))
            and (
                params is None or (isinstance(params, dict) and all(map(is_count, params.values())))
            )
            and is_share(self.val_accuracy)
            and is_share(self.test_accuracy)
            and all(isinstance(value, float) or is_count(value) for value in evidence)
        )
        if not sound:
            raise InputError(f"no row of the confirm stage is like {shown(asdict(self))}")


@dataclass(frozen=True)
class Confirmed:
    """Accuracy of one allocation (or of full precision) over the fresh seeds, paired.

    Attributes:
        seeds: Number of seeds.
        val_accuracy: Mean validation accuracy.
        val_drop: Mean paired drop from full precision on validation nodes, percentage points.
        estimated_drop: Mean drop on unseen nodes as far as it is known without test labels, see
            :mod:`sgq_auto.searching.drops`; it chooses.
        test_accuracy: Mean test accuracy.
        test_accuracy_std: Standard deviation of the test accuracy over seeds.
        test_accuracy_drop: Mean paired drop on test nodes, percentage points.
        test_accuracy_drop_std: Standard deviation of that drop over seeds.
    """

    seeds: int
    val_accuracy: float
    val_drop: float
    estimated_drop: float
    test_accuracy: float
    test_accuracy_std: float
    test_accuracy_drop: float
    test_accuracy_drop_std: float


def fresh_seeds(settings: SearchSettings) -> list[int]:
    """Seeds that no trial of any study with a small seed used."""
    return [100_000 + 1_000 * settings.seed + k for k in range(settings.confirm.seeds)]


def model_seeds(settings: SearchSettings) -> list[int]:
    """Seeds of every full-precision model that a study trains, its confirm stage's too."""
    fresh = fresh_seeds(settings)
    # A seed's teachers and references are later seeds' models.
    end = max(fresh) + settings.teachers + _REFERENCES
    return [*range(settings.seed, settings.seed + settings.teachers), *range(min(fresh), end)]


def holds(confirmed: Confirmed, allowed_drop: float) -> bool:
    """Whether a confirmed point's estimated drop is within ``allowed_drop`` points."""
    # Sums of decimal fractions are off in the last bit: an exact tie is within.
    return confirmed.estimated_drop <= allowed_drop + 1e-9


def confirm(
    settings: SearchSettings,
    folder: StudyFolder,
    points: Sequence[Estimate],
    on_stage: OnStage,
    text: str = "confirming on fresh seeds",
) -> dict[int | None, Confirmed]:
    """Train every point and full precision on fresh seeds; rows already on disk are kept.

    Args:
        settings: The search.
        folder: The study's folder, with its graph and held-out labels.
        points: The points to confirm.
        on_stage: Called as models are trained and seeds are finished.
        text: What this round is called.

    Returns:
        Results by trial number, ``None`` for full precision; a point that diverged has none.

    Raises:
        InputError: If a row on disk is forged.
        DivergedError: If full precision diverges.
        BrokenExecutor: If a process dies.
    """
    seeds = fresh_seeds(settings)
    params: Params = {None: None, **{p.number: p.params for p in points}}
    rows = _read_rows(folder.confirmed, params)
    wanted = list(params)
    missing = {
        seed: [n for n in wanted if (seed, n) not in rows]
        for seed in seeds
        if any((seed, n) not in rows for n in wanted)
    }
    if missing:
        _run_missing(settings, folder, params, missing, rows, on_stage, text)
    complete = [n for n in wanted if all((seed, n) in rows for seed in seeds)]
    return {n: _summarise([(rows[s, None], rows[s, n]) for s in seeds]) for n in complete}


def confirmed_rows(
    folder: StudyFolder, settings: SearchSettings, number: int, params: Mapping[str, int]
) -> list[ConfirmRow]:
    """The rows of one point, one a fresh seed, as far as they are there."""
    rows = _read_rows(folder.confirmed, {number: params})
    return [rows[seed, number] for seed in fresh_seeds(settings) if (seed, number) in rows]


def _run_missing(
    settings: SearchSettings,
    folder: StudyFolder,
    params: Params,
    missing: Mapping[int, list[int | None]],
    rows: dict[tuple[int, int | None], ConfirmRow],
    on_stage: OnStage,
    text: str,
) -> None:
    executor = ProcessPoolExecutor(
        min(settings.workers, len(missing)),
        mp_context=process_context(),
        initializer=quiet_process,
    )
    total = settings.confirm.seeds
    try:
        if settings.pretrain and any(None in numbers for numbers in missing.values()):
            # First, so that no two processes train one model: a seed's teachers and references are
            # later seeds' models.
            end = max(missing) + settings.teachers + _REFERENCES
            models = range(min(missing), end)
            trained = executor.map(partial(_pretrain_seed, settings, folder), models)
            on_stage(Stage(_REFERENCE_TEXT, 0, len(models)))
            for done, _ in enumerate(trained, start=1):
                on_stage(Stage(_REFERENCE_TEXT, done, len(models)))
        futures: list[Future[list[ConfirmRow]]] = [
            executor.submit(_confirm_seed, settings, folder, seed, {n: params[n] for n in numbers})
            for seed, numbers in missing.items()
        ]
        on_stage(Stage(text, total - len(missing), total))
        for done, future in enumerate(as_completed(futures), start=1):
            new = future.result()
            _append_rows(folder.confirmed, new)
            rows.update({(row.seed, row.trial): row for row in new})
            on_stage(Stage(text, total - len(missing) + done, total))
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    executor.shutdown()


def _pretrain_seed(settings: SearchSettings, folder: StudyFolder, seed: int) -> None:
    """Leave full precision of one seed in the cache."""
    graph = load_graph(folder.graph).to(torch.device(settings.device))
    pretrain_model(settings, graph, seed)


def _confirm_seed(
    settings: SearchSettings,
    folder: StudyFolder,
    seed: int,
    points: Params,
) -> list[ConfirmRow]:
    """Train full precision and allocations with one seed, and test them."""
    graph = load_graph(folder.graph)
    held_out = load_labels(folder.held_out, graph)
    bench = Workbench.build(settings, graph, seed)
    untaught = range(seed + settings.teachers, seed + settings.teachers + _REFERENCES)
    reference = mean_probabilities(settings, bench.graph, untaught)
    held_out = held_out.to(bench.graph.device)
    full_logits = predict(bench.full_precision(), bench.graph)
    rows = []
    for number, params in points.items():
        if params is None:
            logits, val_accuracy = full_logits, bench.pretrained.val_accuracy
        else:
            try:
                model, result = bench.finetune(bench.space.allocation(params), seed)
            except DivergedError:
                continue
            logits, val_accuracy = predict(model, bench.graph), result.val_accuracy
        evidence = drop_evidence(reference, full_logits, logits, bench.graph)
        test_accuracy = held_out.accuracy(logits)
        rows.append(ConfirmRow(seed, number, params, val_accuracy, test_accuracy, evidence))
    return rows


def _summarise(pairs: Sequence[tuple[ConfirmRow, ConfirmRow]]) -> Confirmed:
    """Rows of full precision and of a point, seed by seed."""
    own = [quantized for _, quantized in pairs]
    test_drops = [100 * (f.test_accuracy - q.test_accuracy) for f, q in pairs]
    tests = [row.test_accuracy for row in own]
    return Confirmed(
        seeds=len(own),
        val_accuracy=statistics.fmean(row.val_accuracy for row in own),
        val_drop=100 * statistics.fmean(f.val_accuracy - q.val_accuracy for f, q in pairs),
        estimated_drop=estimate_drop([row.evidence for row in own]),
        test_accuracy=statistics.fmean(tests),
        test_accuracy_std=_std(tests),
        test_accuracy_drop=statistics.fmean(test_drops),
        test_accuracy_drop_std=_std(test_drops),
    )


def _std(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _read_rows(path: Path, params: Params) -> dict[tuple[int, int | None], ConfirmRow]:
    """Rows of these trials (``None`` is full precision) that have their allocations."""
    return {
        (row.seed, row.trial): row
        for row in _all_rows(path)
        if row.trial in params and row.params == params[row.trial]
    }


def check_rows(path: Path) -> None:
    """Check the rows of a file, if it is there.

    Raises:
        InputError: If one is forged; it names the file and the line.
    """
    list(_all_rows(path))


def _all_rows(path: Path) -> Iterator[ConfirmRow]:
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield ConfirmRow.from_line(line)
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from error
        except ValueError:
            continue  # Cut short by a kill, or an earlier version's: it is trained again.


def _append_rows(path: Path, rows: Sequence[ConfirmRow]) -> None:
    with path.open("a+b") as file:
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")  # End the line that a kill cut short.
        file.writelines(json.dumps(asdict(row)).encode() + b"\n" for row in rows)
