"""A whole search for a device: flash and RAM of the model in C bounded, or minimised."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.packed import Objective, load, write_c
from sgq_auto.reporting import ResultFiles
from sgq_auto.searching import (
    Budget,
    Granularity,
    ModelSettings,
    SearchSettings,
    StudyProgress,
    run_search,
)
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import Watcher
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.summary.summary_entries import describe_full_precision

pytestmark = pytest.mark.system

SettingsBuilder = Callable[..., SearchSettings]
# A norm over all nodes needs all rows at once.
_NOT_IN_C = ModelSettings(
    "custom",
    {
        "_target_": "torch_geometric.nn.GCN",
        "hidden_channels": 4,
        "num_layers": 2,
        "norm": "InstanceNorm",
    },
)
_ABS = {"_target_": "sgq_auto.searching.samplers.AutoBitSampler", "startup_trials": 8}


class Kept(Watcher):
    """Keeps the progress at the end."""

    def finished(self, progress: StudyProgress, summary: dict[str, Any]) -> None:
        del summary
        self.progress = progress


def middle_budget(settings: SettingsBuilder, data: PreparedData, **more: Any) -> Budget:
    """Bounds between the smallest and the largest allocation, so that both cut something off."""
    bench = Workbench.untrained(settings(objective=Objective.RAM_BYTES, **more), data.graph)
    few, most = bench.space.uniform()[-1], bench.space.uniform()[0]
    small, large = (bench.footprints.packed(bench.space.allocation(p)) for p in (few, most))
    assert small.flash_bytes
    assert small.ram_bytes
    assert large.flash_bytes
    assert large.ram_bytes
    return Budget(
        max_flash_kib=(2 * small.flash_bytes + large.flash_bytes) / 3 / 1024,
        max_ram_kib=(2 * small.ram_bytes + large.ram_bytes) / 3 / 1024,
    )


def test_a_search_stays_within_flash_and_ram_and_tells_both_exactly(
    settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    finest = Granularity.LWQ_CWQ_TAQ
    budget = middle_budget(settings, synthetic, granularity=finest)
    assert budget.max_flash_kib
    assert budget.max_ram_kib
    search = settings(granularity=finest, budget=budget, n_trials=12, sampler=_ABS, tolerance=100.0)
    kept, results = Kept(), ResultFiles(tmp_path / "results")
    results.folder.mkdir()
    outcome = run_search(search, synthetic, [kept, results], tmp_path / "summary.json")
    summary = outcome.summary
    assert summary is not None
    flash, ram = 1024 * budget.max_flash_kib, 1024 * budget.max_ram_kib
    footprints = kept.progress.bench.footprints
    for record in kept.progress.records:
        packed = footprints.packed(kept.progress.allocation(record))
        assert packed.flash_bytes is not None
        assert packed.ram_bytes is not None
        # Also of the random start.
        assert packed.flash_bytes <= flash
        assert packed.ram_bytes <= ram
    best = summary["recommended"]
    for point in [*summary["front"], *summary["confirmed"], best]:
        assert point["flash_bytes"] <= flash
        assert point["ram_bytes"] <= ram
        assert point["ram_ratio"] == summary["full_precision"]["ram_bytes"] / point["ram_bytes"]
    written = write_c(load(best["artifact_path"]), tmp_path / "device")
    assert (written.flash_bytes, written.ram_bytes) == (best["flash_bytes"], best["ram_bytes"])
    page = results.report.read_text().replace("\u00a0", " ")
    for name, kind in (("flash in C", "flash"), ("RAM in C", "ram")):
        assert name in page
        assert f"{best[f'{kind}_bytes'] / 1024:,.1f} KiB" in page
    (folder,) = (tmp_path / "studies").iterdir()
    study = optuna.load_study(storage=open_storage(search.storage, folder), study_name=folder.name)
    assert all({"max_flash_kib", "max_ram_kib"} <= set(t.constraints) for t in study.trials)


@pytest.mark.parametrize(
    "objective", [Objective.RAM_BYTES, pytest.param(Objective.FLASH_BYTES, marks=pytest.mark.slow)]
)
def test_flash_or_ram_can_be_minimised(
    objective: Objective, settings: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    search = settings(objective=objective, sampler=_ABS, tolerance=100.0)
    summary = run_search(search, synthetic, [], tmp_path / "summary.json").summary
    assert summary is not None
    sizes = [point[objective] for point in summary["front"]]
    assert sizes == sorted(set(sizes))
    best = summary["recommended"]
    written = write_c(load(best["artifact_path"]), tmp_path / "device")
    assert (written.flash_bytes, written.ram_bytes) == (best["flash_bytes"], best["ram_bytes"])
    assert best[objective] < summary["full_precision"][objective]


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(max_flash_kib=0.25, max_ram_kib=64), "KiB of flash"),
        (Budget(max_flash_kib=256, max_ram_kib=0.125), "KiB of RAM"),
        (Budget(max_flash_kib=0.25, max_ram_kib=0.125), "KiB of flash, and KiB of RAM"),
    ],
)
def test_what_does_not_fit_is_named_with_its_excess_and_costs_no_training(
    budget: Budget,
    said: str,
    settings: SettingsBuilder,
    synthetic: PreparedData,
    tmp_path: Path,
) -> None:
    outcome = run_search(settings(budget=budget), synthetic, [], tmp_path / "summary.json")
    summary = outcome.summary
    assert summary is not None
    assert summary["recommended"] is None
    reason, miss = summary["recommended_reason"], summary["nearest_miss"]
    assert reason.startswith("nothing fits: on the device, the fewest bits everywhere take")
    for kind, word in (("flash", "flash"), ("ram", "RAM")):
        name, most = f"max_{kind}_kib", getattr(budget, f"max_{kind}_kib")
        taken = miss[f"{kind}_bytes"] / 1024
        excess = f"{taken:,.1f} KiB of {word}, {taken - most:,.1f} KiB more than {name}={most:g}"
        assert (excess in reason) == (f"of {word}" in said)
    assert set(miss["bits"].values()) <= {1, 4}


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize(
    "asked", [{"budget": Budget(max_ram_kib=64)}, {"objective": Objective.FLASH_BYTES}]
)
def test_a_model_without_a_form_in_c_is_refused_in_one_line_before_anything_is_trained(
    asked: dict[str, Any],
    settings: SettingsBuilder,
    synthetic: PreparedData,
    tmp_path: Path,
) -> None:
    asked_for = (
        r"^(max_ram_kib|objective=flash_bytes): the model cannot be written in C yet: .*standardize"
    )
    with pytest.raises(InputError, match=asked_for) as raised:
        run_search(settings(model=_NOT_IN_C, **asked), synthetic, [], tmp_path / "summary.json")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("known", [True, False])
def test_a_search_without_a_device_tells_flash_and_ram_where_the_model_can_be_c(
    known: bool, settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    search = settings() if known else settings(model=_NOT_IN_C)
    bench = Workbench.untrained(search, synthetic.graph)
    assert bench.footprints.device is None
    found = describe_full_precision(bench, {})
    assert {"flash_bytes", "ram_bytes"} & found.keys() == (
        {"flash_bytes", "ram_bytes"} if known else set()
    )
    assert "sparse_fp32_ram_bytes" not in found
