"""Whether engines predict the same: a model through its file, by numpy and by the kernels."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
from featured_models import featured
from pooled_models import pooled
from random_models import RandomModels

from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine

# Of logits, in the unit of the largest one, if that is above 1.
TOLERANCE = 1e-4


def always_neighborhoods() -> AbstractContextManager[None]:
    """A block where some nodes are never predicted by way of all, however small the graph."""
    limits = {"_LITTLE_WORK": 0, "_LARGEST_SHARE": 1.0}
    return mock.patch.multiple("sgq_auto.packed.runtime.graphs.neighborhood", **limits)


@dataclass(frozen=True)
class Agreement:
    """What predictions of one model have in common.

    Attributes:
        model: The model, as it was loaded.
        worst: The largest difference of logits to those of numpy for all nodes; relative above 1.
        same_classes: Whether every prediction gave every node the same class.
    """

    model: PackedModel
    worst: float
    same_classes: bool

    @property
    def holds(self) -> bool:
        """Whether classes are the same and logits within the tolerance."""
        return self.same_classes and self.worst <= TOLERANCE


def agreement_of(seed: int, folder: Path, spread: float = 0.0) -> Agreement:
    """Draw a model, write it, load it, and predict: by both engines, all nodes and some of them."""
    models = RandomModels(np.random.default_rng(seed), spread)
    path, of_graphs = folder / "random.safetensors", np.random.default_rng([11, seed])
    made, of_edges = models.model(), np.random.default_rng([12, seed])
    made = featured(made, of_edges) if of_edges.random() < 0.3 else made
    save(pooled(made, of_graphs) if of_graphs.random() < 0.3 else made, path)
    compiled = replace(load(path), engine=CompiledEngine())
    plain = replace(compiled, engine=NumpyEngine())
    nodes = models.nodes(compiled)
    expected = plain.predict()
    pairs = [(compiled.predict(), expected), (compiled.predict(threads=2), expected)]
    if not compiled.program.predicts_graphs:
        with always_neighborhoods():
            pairs += [(each.predict(nodes), expected[nodes]) for each in (compiled, plain)]
    unit = max(1.0, float(np.abs(expected).max()))
    # NaN differs from everything.
    differences = [np.nan_to_num(np.abs(a - b) / unit, nan=np.inf).max() for a, b in pairs]
    same = all(bool((a.argmax(1) == b.argmax(1)).all()) for a, b in pairs)
    return Agreement(compiled, float(max(differences)), same)
