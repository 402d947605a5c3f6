"""Every real dataset with every model and every granularity, a few trials each."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sgq_auto.configuration.checked_settings import checked, conf_dir, load_data, search_settings
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import Granularity
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.study import enqueue_start, finished_trials, open_study
from sgq_auto.searching.workers.trial_runner import TrialRunner

pytestmark = pytest.mark.system

DATASETS = {
    "cora": "Planetoid/Cora",
    "citeseer": "Planetoid/CiteSeer",
    "pubmed": "Planetoid/PubMed",
    "amazon_computers": "Amazon/Computers",
}
_loaded: dict[str, PreparedData] = {}


@pytest.mark.slow
@pytest.mark.parametrize("granularity", [g.value for g in Granularity])
@pytest.mark.parametrize("model", ["gcn", "gat", "agnn", "sage", "gin"])
@pytest.mark.parametrize("dataset", list(DATASETS))
def test_every_combination_runs(
    dataset: str, model: str, granularity: str, data_root: Path, tmp_path: Path
) -> None:
    if not (data_root / DATASETS[dataset] / "raw").is_dir():
        pytest.skip(f"no raw files of {dataset} under {data_root}; set SGQ_AUTO_DATA")
    choices = {"dataset": dataset, "model": model, "granularity": granularity, "sampler": "tpe"}
    overrides = [
        *(f"{group}={name}" for group, name in choices.items()),
        f"data_root={data_root}",
        f"output_root={tmp_path}",
        "tracking.uri=unused",
        "tracking.artifacts=unused",
        "pretrain.epochs=4",
        "pretrain.evaluate_every=2",
        "finetune.epochs=2",
    ]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = checked(compose("config", overrides))
    if dataset not in _loaded:
        _loaded[dataset] = load_data(cfg)
    settings = search_settings(cfg, choices)
    bench = Workbench.build(settings, _loaded[dataset].graph)
    study = open_study(settings, tmp_path, "combination")
    start = SearchStart.prepare(bench, tmp_path / "sensitivities.json")
    enqueue_start(study, start.allocations)
    runner = TrialRunner(bench, study, start)
    trials = 3
    for _ in range(trials):
        runner.run(runner.ask())
    records = finished_trials(runner.study)
    assert [record.failure for record in records] == [None] * trials
    full = bench.footprints.full_precision().resident_bytes
    assert all(0 < record.num_bytes < full / 4 for record in records)
    # Uniform 8, 6 and 4 bits run first: each is smaller than the one before.
    assert records[0].num_bytes > records[1].num_bytes > records[2].num_bytes
