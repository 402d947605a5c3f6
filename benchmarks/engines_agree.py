"""Do both engines of the packed runtime predict the same? 20,000 random artifacts, none differs.

Each model is drawn (:mod:`random_models`, shared with the tests), written, loaded, and predicts all
nodes by numpy, by the kernels with one thread and with two, and some nodes by both. It differs if a
node has another class or a logit is off by more than 1e-4, of the largest logit if that is above 1.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "packed"))

from agreement import Agreement, agreement_of

from report import Row, argument_parser, finish
from sgq_auto.packed import PackedModel

_MODELS, _QUICK = 20_000, 200
# Seeds that a process takes at once.
_RUN = 50


@dataclass
class Tally:
    """What a run of seeds gave: how many models have a trait, how many of them differ."""

    drawn: Counter[str] = field(default_factory=Counter)
    differ: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0


def main() -> None:
    """Draw models and compare; exits with 1 if any differs."""
    parser = argument_parser(__doc__)
    parser.add_argument("--models", type=int, default=_MODELS)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    options = parser.parse_args()
    count = _QUICK if options.quick else options.models
    runs = [range(first, min(first + _RUN, count)) for first in range(0, count, _RUN)]
    with ProcessPoolExecutor(options.workers) as pool:
        tallies = list(pool.map(_tally, runs))
    drawn, differ = (sum((getattr(t, n) for t in tallies), Counter()) for n in ("drawn", "differ"))
    worst = max(tally.worst for tally in tallies)
    rows: list[Row] = [
        {"models with": trait, "drawn": drawn[trait], "differ": differ[trait]}
        for trait in sorted(drawn, key=lambda name: (-drawn[name], name))
    ]
    rows[0]["largest difference"] = worst
    finish(rows, options.json)
    print(f"{count} models, {differ['any']} differ, largest difference {worst:.1e}")
    sys.exit(1 if differ["any"] else 0)


def _tally(seeds: range) -> Tally:
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            found = agreement_of(seed, Path(folder))
            tally.worst = max(tally.worst, found.worst)
            tally.drawn.update(_traits(found.model))
            if not found.holds:
                tally.differ.update(_traits(found.model))
                print(f"seed {seed} differs: {_summary(found)}", flush=True)
    return tally


def _summary(found: Agreement) -> str:
    kinds = " ".join(layer.kind for layer in found.model.layers)
    nodes = found.model.graph.spec.bucket_nodes
    return f"{kinds} on buckets {nodes}, by {found.worst:.1e}, classes same: {found.same_classes}"


def _traits(model: PackedModel) -> Iterator[str]:
    """What a model has of what may go wrong, each once."""
    graph, features = model.graph.spec, model.features
    yield "any"
    yield from {f"a {layer.kind} layer" for layer in model.layers}
    yield "dense features" if features.spec.dense else "sparse features"
    yield "a symmetric graph" if graph.symmetric else "a directed graph"
    held = [n for n in graph.bucket_nodes if n]
    bits = [layer.inputs.bits for layer in model.layers]
    if len(held) < graph.num_buckets:
        yield "an empty bucket"
    if 1 in held:
        yield "a bucket of one node"
    if any(32 in row and set(row) != {32} for row in bits):
        yield "fp32 beside coded buckets"
    if any(layer.spec.transformed_features % 8 for layer in model.layers):
        yield "channels that are no multiple of 8"
    if any(layer.spec.heads > 1 for layer in model.layers):
        yield "several heads"
    if any(features.spec.bucket_constant):
        yield "equal feature values"
    if graph.num_edges == 0:
        yield "no edge"


if __name__ == "__main__":
    main()
