"""How much each group of sites suffers from few bits, measured without training."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgq_auto.graphs import Graph
from sgq_auto.graphs.many_graphs import graphs_of, part
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import prepare
from sgq_auto.searching.command_stages import OnStage, Stage, unheard
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.space.search_space import Positions
from sgq_auto.training import evaluate

# In place of a loss that is no number; sums of it still are.
_HOPELESS = 1e6


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """Increase of the validation loss where one group alone is quantized.

    Attributes:
        groups: Names of the searched groups.
        ladder: Bit-widths.
        loss: ``float64 [groups, ladder]`` increase of the validation cross-entropy, as measured.
    """

    groups: tuple[str, ...]
    ladder: tuple[int, ...]
    loss: NDArray[np.float64]

    @property
    def monotone(self) -> NDArray[np.float64]:
        """The losses with noise taken out: none below 0, none that rises with the bits."""
        falling = np.maximum.accumulate(self.loss[:, ::-1], axis=1)[:, ::-1]
        return np.maximum(falling, 0.0)

    def expected_loss(self, positions: Positions) -> NDArray[np.float64]:
        """Loss increase ``[n]`` of allocations, were the groups' increases to add up."""
        total: NDArray[np.float64] = self.monotone[np.arange(len(self.groups)), positions].sum(1)
        return total

    def losses(self, positions: Positions) -> NDArray[np.float64]:
        """Expected loss increases ``[n, parts + 1]``: of each layer's components, and their sum."""
        own = self.monotone[np.arange(len(self.groups)), positions]
        # Not the number of a layer, as in convs.0.
        parts = [re.sub(r"(\.(?:embedding|attention))\.\d+$", r"\1", g) for g in self.groups]
        members = [[float(p == part) for p in parts] for part in dict.fromkeys(parts)]
        losses: NDArray[np.float64] = own @ np.array([*members, [1.0] * len(parts)]).T
        return losses

    def as_dict(self) -> dict[str, Any]:
        """Groups, bit-widths and losses, JSON-ready."""
        return {"groups": self.groups, "ladder": self.ladder, "loss": self.loss.tolist()}


def measure_sensitivities(bench: Workbench, on_stage: OnStage = unheard) -> Sensitivities:
    """One forward pass on the validation nodes for each group and step of the ladder.

    Of many graphs only those with a validation row are looked at: ranges are set on them, too.
    """
    space, graph = bench.space, _validation_graphs(bench.graph)
    full = bench.footprints.all_full()
    _, before = evaluate(prepare(bench.pretrained.model, graph), graph)

    def increase(name: str, bits: int) -> float:
        allocation = BitAllocation({**full, **dict.fromkeys(space.groups[name], bits)})
        model = prepare(bench.pretrained.model, graph, allocation, bench.settings.ranges)
        return evaluate(model, graph)[1] - before

    loss = []
    for place, name in enumerate(space.searched):
        on_stage(Stage("measuring what few bits cost each group", place, len(space.searched)))
        loss.append([increase(name, bits) for bits in space.ladder])
    finite = np.nan_to_num(loss, nan=_HOPELESS, posinf=_HOPELESS)
    return Sensitivities(space.searched, space.ladder, finite)


def _validation_graphs(graph: Graph) -> Graph:
    return part(graph, graphs_of(graph, graph.val)) if graph.num_graphs > 1 else graph


def cached_sensitivities(
    bench: Workbench, path: Path, on_stage: OnStage = unheard
) -> Sensitivities:
    """Read the sensitivities of a study, or measure and keep them."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        loss = np.array(read["loss"], dtype=np.float64)
        found = Sensitivities(tuple(read["groups"]), tuple(read["ladder"]), loss)
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    space = bench.space
    shape = (len(space.searched), len(space.ladder))
    same = found is not None and (found.groups, found.ladder) == (space.searched, space.ladder)
    if found is not None and same and found.loss.shape == shape and np.isfinite(found.loss).all():
        return found
    measured = measure_sensitivities(bench, on_stage)
    path.write_text(json.dumps(measured.as_dict()), encoding="utf-8")
    return measured
