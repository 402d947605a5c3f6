"""The confirm stage: points of the front trained again on fresh seeds, and tested.

Only here are test labels read.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from sgq_auto.graphs.store import load_graph
from sgq_auto.searching.command_stages import OnStage, Stage
from sgq_auto.searching.confirming.confirm_rows import (
    DISTILLED,
    FULL_PRECISION,
    ConfirmRow,
    Params,
    Rows,
    append_rows,
    read_rows,
)
from sgq_auto.searching.confirming.confirmed_allocation import Confirmed
from sgq_auto.searching.confirming.judges import Judge, has_opinions, judge_of
from sgq_auto.searching.measuring.reference_models import mean_probabilities, pretrain_models
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.tested_graphs import TestedGraphs
from sgq_auto.searching.trials.repeated_measurements import Estimate
from sgq_auto.searching.workers.process_pool import process_pool
from sgq_auto.task import Metric
from sgq_auto.training import DivergedError, score

# Full-precision models that neither teach nor are compared, and say what drop they expect.
_REFERENCES = 3
_REFERENCE_TEXT = "training full-precision models on fresh seeds"


def fresh_seeds(settings: SearchSettings) -> range:
    """Seeds that no trial of any study with a small seed used."""
    first = 100_000 + 1_000 * settings.seed
    return range(first, first + settings.confirm.seeds)


def _reference_seeds(settings: SearchSettings) -> range:
    """Seeds of the models that neither teach nor are compared: behind the last seed's teachers."""
    first = fresh_seeds(settings)[-1] + settings.teachers
    return range(first, first + _REFERENCES)


def _confirm_seeds(settings: SearchSettings) -> range:
    """Seeds of every full-precision model of the confirm stage.

    A seed's teachers are later seeds' models.
    """
    return range(fresh_seeds(settings)[0], _reference_seeds(settings)[-1] + 1)


def model_seeds(settings: SearchSettings) -> list[int]:
    """Seeds of every full-precision model that a study trains, its confirm stage's too."""
    searched = range(settings.seed, settings.seed + settings.teachers)
    return [*searched, *_confirm_seeds(settings)]


def confirm(
    settings: SearchSettings,
    folder: StudyFolder,
    points: Sequence[Estimate],
    on_stage: OnStage,
    text: str = "confirming on fresh seeds",
    metric: Metric = Metric.ACCURACY,
) -> dict[int | None, Confirmed]:
    """Train every point and full precision on fresh seeds; rows already on disk are kept.

    Args:
        settings: The search.
        folder: The study's folder, with its graph and held-out labels.
        points: The points to confirm.
        on_stage: Called as models are trained and seeds are finished.
        text: What this round is called.
        metric: The metric of the graph.

    Returns:
        Results by trial number, ``None`` for full precision, :data:`DISTILLED` for its distilled
        twin; what diverged has none.

    Raises:
        InputError: If a row on disk is forged.
        DivergedError: If full precision diverges.
        BrokenExecutor: If a process dies.
    """
    seeds = fresh_seeds(settings)
    params: Params = {FULL_PRECISION: None, DISTILLED: None, **{p.number: p.params for p in points}}
    rows = read_rows(folder.confirmed, params)
    missing = {
        seed: [n for n in params if (seed, n) not in rows]
        for seed in seeds
        if any((seed, n) not in rows for n in params)
    }
    if missing:
        _run_missing(settings, folder, params, missing, rows, on_stage, text)
    complete = [n for n in params if all((seed, n) in rows for seed in seeds)]
    own = {n: [rows[seed, n] for seed in seeds] for n in complete}
    full, distilled = own[FULL_PRECISION], own.get(DISTILLED)
    return {n: Confirmed.of(full, distilled, own[n], settings.promise, metric) for n in complete}


def confirmed_rows(
    folder: StudyFolder, settings: SearchSettings, number: int, params: Mapping[str, int]
) -> list[ConfirmRow]:
    """The rows of one point, one a fresh seed, as far as they are there."""
    rows = read_rows(folder.confirmed, {number: params})
    return [rows[seed, number] for seed in fresh_seeds(settings) if (seed, number) in rows]


def _run_missing(
    settings: SearchSettings,
    folder: StudyFolder,
    params: Params,
    missing: Mapping[int, list[int | None]],
    rows: Rows,
    on_stage: OnStage,
    text: str,
) -> None:
    total = settings.confirm.seeds
    with process_pool(min(settings.workers, len(missing))) as executor:
        if settings.pretrain and any(None in numbers for numbers in missing.values()):
            # First, so that no two processes train one model.
            models = _confirm_seeds(settings)
            if not has_opinions(load_graph(folder.graph)):
                models = range(models.start, _reference_seeds(settings).start)
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
            append_rows(folder.confirmed, new)
            rows.update({(row.seed, row.trial): row for row in new})
            on_stage(Stage(text, total - len(missing) + done, total))


def _pretrain_seed(settings: SearchSettings, folder: StudyFolder, seed: int) -> None:
    """Leave full precision of one seed in the cache."""
    graph = load_graph(folder.graph).to(torch.device(settings.device))
    pretrain_models(settings, graph, [seed])


@dataclass(frozen=True, eq=False)
class _Examination:
    """What the models of one seed are measured against.

    Attributes:
        bench: What they are trained with.
        graphs: The graphs that they predict, and the labels of what is tested.
        judge: Compares models with full precision, without test labels.
    """

    bench: Workbench
    graphs: TestedGraphs
    judge: Judge

    @classmethod
    def of(cls, settings: SearchSettings, folder: StudyFolder, seed: int) -> "_Examination":
        graphs = TestedGraphs.load(folder, load_graph(folder.graph))
        bench = Workbench.build(settings, graphs.graph, seed)
        graph = bench.graph
        graphs = replace(graphs.to(graph.device), graph=graph)
        reference, ask = None, graphs.predict
        if has_opinions(graph):
            reference = mean_probabilities(settings, graph, _reference_seeds(settings), ask)
        full = list(bench.logits_of(fresh_seeds(settings), ask))
        judge = judge_of(graph, reference, full, graphs.held_out.nodes.numel())
        return cls(bench, graphs, judge)

    def row(
        self,
        seed: int,
        trial: int | None,
        params: Mapping[str, int] | None,
        model: nn.Module,
        val_accuracy: float,
        twin: Tensor,
    ) -> ConfirmRow:
        """Test a model; ``twin`` is what is seen of its distilled twin."""
        graph, held_out = self.bench.graph, self.graphs.held_out
        outputs = self.graphs.predict(model)
        rows = self.graphs.of_tested(outputs).index_select(0, held_out.nodes)
        return ConfirmRow(
            seed=seed,
            trial=trial,
            params=params,
            val_accuracy=val_accuracy,
            test_accuracy=score(graph.metric, graph.in_units(rows), held_out.labels),
            evidence=self.judge.evidence(twin, self.judge.seen(outputs)),
        )


def _confirm_seed(
    settings: SearchSettings, folder: StudyFolder, seed: int, points: Params
) -> list[ConfirmRow]:
    """Train full precision, its distilled twin and allocations with one seed, and test them."""
    tested = _Examination.of(settings, folder, seed)
    bench, graphs, path = tested.bench, tested.graphs, folder.distilled(seed)
    rows = []
    twin = tested.judge.kept(path)
    if twin is None or DISTILLED in points:
        try:
            model, result = bench.distil(seed)
        except DivergedError:
            twin = tested.judge.seen(graphs.predict(bench.full_precision()))
        else:
            twin = tested.judge.seen(graphs.predict(model))
            tested.judge.keep(twin, path)
            rows.append(tested.row(seed, DISTILLED, None, model, result.val_accuracy, twin))
    if FULL_PRECISION in points:
        model, accuracy = bench.full_precision(), bench.pretrained.val_accuracy
        rows.append(tested.row(seed, FULL_PRECISION, None, model, accuracy, twin))
    rows += _confirm_points(tested, seed, twin, {n: p for n, p in points.items() if p is not None})
    return [row for row in rows if row.trial in points]


def _confirm_points(
    tested: _Examination, seed: int, twin: Tensor, points: Mapping[int | None, Mapping[str, int]]
) -> Iterable[ConfirmRow]:
    bench = tested.bench
    for number, params in points.items():
        try:
            model, result = bench.finetune(bench.space.allocation(params), seed)
        except DivergedError:
            continue
        yield tested.row(seed, number, params, model, result.val_accuracy, twin)
