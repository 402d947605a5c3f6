"""The same results as the slow path: accuracies of ours and of the peer, seed by seed.

Full precision is trained from scratch on both sides. Allocations (uniform ones and random ones)
are fine-tuned on both sides from the same full-precision weights of each seed. Test accuracies;
the difference is paired over seeds, and its standard error says what noise allows.
"""

import copy
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from plain import fit_plain, prepare_plain, pretrain_plain
from problem import Problem, load_problem
from report import Row, arguments, finish, std
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.training import predict

Pair = tuple[float, float]


def main() -> None:
    """Compare full precision and allocations of GCN on Cora."""
    options = arguments(__doc__)
    seeds = range(1 if options.quick else 5)
    with tempfile.TemporaryDirectory() as scratch:
        problem = load_problem("dataset=cora", f"output_root={scratch}")
        benches = [Workbench.build(problem.settings, problem.data.graph, s) for s in seeds]
        rows = [
            _row("full precision", [_full_precision(problem, b, s) for s, b in enumerate(benches)])
        ]
        allocations = _allocations(benches[0])
        for name, params in list(allocations.items())[: 1 if options.quick else None]:
            pairs = [_finetuned(problem, bench, params, s) for s, bench in enumerate(benches)]
            rows.append(_row(name, pairs))
    finish(rows, options.json)


def _allocations(bench: Workbench) -> dict[str, dict[str, int]]:
    """Ladder positions by group: uniform allocations, and some drawn at random."""
    space, rng = bench.space, np.random.default_rng(0)
    uniform = {
        f"uniform {b} bits": dict.fromkeys(space.searched, i) for i, b in enumerate(space.ladder)
    }
    drawn = {
        f"random {k}": {n: int(rng.integers(len(space.ladder))) for n in space.searched}
        for k in range(4)
    }
    return uniform | drawn


def _full_precision(problem: Problem, bench: Workbench, seed: int) -> Pair:
    graph, held_out = problem.data.graph, problem.data.held_out
    torch.manual_seed(seed)
    plain = problem.settings.model.build(graph)
    pretrain_plain(plain, graph, problem.settings.pretrain, seed)
    with torch.no_grad():
        logits = plain(graph.features.dense(), graph.edge_index())
    return held_out.accuracy(logits), held_out.accuracy(predict(bench.full_precision(), graph))


def _finetuned(problem: Problem, bench: Workbench, params: Mapping[str, int], seed: int) -> Pair:
    graph, held_out = bench.graph, problem.data.held_out
    allocation = bench.space.allocation(params)
    plain = prepare_plain(copy.deepcopy(bench.pretrained.model), graph, allocation)
    settings = replace(bench.settings.finetune, evaluate_every=bench.settings.finetune.epochs)
    fit_plain(plain, graph, settings, seed, bench.teacher)
    with torch.no_grad():
        logits = plain()
    ours, _ = bench.finetune(allocation, seed)
    return held_out.accuracy(logits), held_out.accuracy(predict(ours, graph))


def _row(name: str, pairs: Sequence[Pair]) -> Row:
    peer, ours = ([100 * accuracy for accuracy in side] for side in zip(*pairs, strict=True))
    differences = [b - a for a, b in zip(peer, ours, strict=True)]
    return {
        "allocation": name,
        "peer": statistics.fmean(peer),
        "ours": statistics.fmean(ours),
        "difference": statistics.fmean(differences),
        "standard_error": std(differences) / len(differences) ** 0.5,
        "seeds": len(pairs),
    }


if __name__ == "__main__":
    main()
