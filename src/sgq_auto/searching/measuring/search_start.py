"""What a study knows before its first trial, and where it begins."""

from dataclasses import dataclass
from pathlib import Path

from sgq_auto.searching.command_stages import OnStage, unheard
from sgq_auto.searching.measuring.first_allocations import seeds
from sgq_auto.searching.measuring.sensitivity import Sensitivities, cached_sensitivities
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.samplers import Knowledge


@dataclass(frozen=True, eq=False)
class SearchStart:
    """The start of a search.

    Attributes:
        sensitivities: Losses of each group at each bit-width; ``None`` without seeding.
        allocations: Parameters of the first trials: uniform bits, then the seeds.
        knowledge: What samplers are told.
    """

    sensitivities: Sensitivities | None
    allocations: tuple[dict[str, int], ...]
    knowledge: Knowledge

    @classmethod
    def prepare(cls, bench: Workbench, path: Path, on_stage: OnStage = unheard) -> "SearchStart":
        """Measure the sensitivities, or read them from ``path``, and choose the first trials.

        Allocations that break a bound of sizes are left out: all, if even the smallest does.
        """
        settings, space = bench.settings, bench.space
        # Of a model that was not trained there is nothing to measure.
        measured = settings.seeding and bench.is_trained
        found = cached_sensitivities(bench, path, on_stage) if measured else None
        first = space.uniform()
        if found is not None:
            most, bounds = settings.budget.max_bytes, bench.device_bounds
            seeded = seeds(found, bench.sizes, settings.seeding, most, bounds)
            first += [space.params(row) for row in seeded.tolist()]
        affordable = [p for p in first if bench.fits(p)]
        unique = {tuple(params.values()): params for params in affordable}
        knowledge = Knowledge(
            sizes=bench.sizes,
            expected_losses=found.losses if found else None,
            frame=bench.frame.within(settings.budget),
            parameters=space.searched,
            within=bench.device_bounds,
        )
        return cls(found, tuple(unique.values()), knowledge)
