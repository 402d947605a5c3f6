"""The recommended point as an artifact: one of its confirmed models, packed."""

from collections.abc import Sequence
from pathlib import Path

from sgq_auto.graphs.store import load_graph
from sgq_auto.packed import ArtifactError, load, save
from sgq_auto.quantize import convert
from sgq_auto.searching.confirm import ConfirmRow
from sgq_auto.searching.repeats import Estimate
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.workbench import Workbench
from sgq_auto.searching.workers import StudyFolder


def pack_point(
    settings: SearchSettings, folder: StudyFolder, point: Estimate, rows: Sequence[ConfirmRow]
) -> Path:
    """Pack the confirmed model of a point that did best on validation nodes.

    The model is trained again from its seed, as the confirm stage did; an artifact that is there
    already is kept.

    Args:
        settings: The search.
        folder: The study's folder; the artifact goes there.
        point: The point.
        rows: Its rows of the confirm stage.

    Raises:
        InputError: If the model cannot be packed.
        DivergedError: If training diverges.
        OSError: If the artifact cannot be written.
    """
    best = max(rows, key=lambda row: row.val_accuracy)
    path = folder.path / f"trial-{point.number}.safetensors"
    source = {
        "study": folder.name,
        "dataset": settings.dataset,
        "model": settings.model.name,
        "trial": point.number,
        "seed": best.seed,
        "val_accuracy": best.val_accuracy,
        "test_accuracy": best.test_accuracy,
    }
    if not _holds(path, source):
        bench = Workbench.build(settings, load_graph(folder.graph), best.seed)
        model, _ = bench.finetune(bench.space.allocation(point.params), best.seed)
        save(convert(model, bench.graph, source), path)
    return path


def _holds(path: Path, source: dict[str, object]) -> bool:
    """Whether a sound artifact of this very model is there."""
    try:
        return load(path).source == source
    except ArtifactError:
        return False
