"""Flash and RAM of the model in C: where a search needs them, and where they are only reported."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.objective import Objective
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.quantize import device_sizes
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.settings.budget_settings import Budget

# Nothing larger goes onto a small device, and packing it only to report sizes takes long.
_MOST_STORED = 1 << 26
_WORDS = {Objective.FLASH_BYTES: "flash", Objective.RAM_BYTES: "RAM"}


def with_device(
    settings: SearchSettings, footprints: FootprintModel, prepared: nn.Module, graph: Graph
) -> FootprintModel:
    """Sizes of a model; those of the model in C too, where the search bounds or minimises them.

    Raises:
        InputError: If these are asked for and the model cannot be written in C.
    """
    asked = list(settings.budget.of_device)
    if settings.objective.of_device:
        asked.append(f"objective={settings.objective}")
    if not asked:
        return footprints
    try:
        return replace(footprints, device=device_sizes(prepared, graph, footprints.graph))
    except InputError as error:
        what = error.what if isinstance(error, UnsupportedInCError) else error
        raise InputError(
            f"{', '.join(asked)}: the model cannot be written in C yet: {what}; take another "
            "model, or leave these settings (and board) out"
        ) from error


def reported_sizes(
    footprints: FootprintModel,
    smallest: BitAllocation,
    prepared: Callable[[], nn.Module],
    graph: Graph,
) -> FootprintModel:
    """Sizes of a model; those of the model in C too, if it can be written and is not very large.

    Args:
        footprints: Its sizes as the search has them.
        smallest: The allocation of the fewest bits.
        prepared: Makes the model, as it is prepared for the graph.
        graph: The graph.
    """
    if footprints.device or footprints.packed(smallest).stored_bytes > _MOST_STORED:
        return footprints
    try:
        return replace(footprints, device=device_sizes(prepared(), graph, footprints.graph))
    except InputError:
        return footprints


def too_large_for(budget: Budget, sizes: Mapping[str, int]) -> list[str]:
    """For each bound of a device that sizes break, what they take and by how much it is more.

    Args:
        budget: The bounds.
        sizes: Bytes by the names of figures.
    """
    broken = []
    for name, (figure, most) in budget.of_device.items():
        kib = sizes[figure.value] / 1024
        if kib > most:
            excess = f"{kib - most:,.1f} KiB more than {name}={most:g}"
            broken.append(f"{kib:,.1f} KiB of {_WORDS[figure]}, {excess}")
    return broken
