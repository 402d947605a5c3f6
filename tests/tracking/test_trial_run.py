"""What the run of a trial holds."""

from sgq_auto.searching import StudyProgress
from sgq_auto.tracking.runs.trial_run import trial_metrics


def test_flash_and_ram_of_each_trial_are_metrics(progress: StudyProgress) -> None:
    bench = progress.bench
    assert bench.footprints.device is None  # The search asked for neither.
    for record in progress.records:
        found = {m.key: m.value for m in trial_metrics(progress, record, is_pareto=False)}
        packed = bench.reported.packed(progress.allocation(record))
        assert found["flash_bytes"] == packed.flash_bytes
        assert found["ram_bytes"] == packed.ram_bytes
        assert found["ram_ratio"] > 1
        assert "ram_ratio_sparse_fp32" not in found
