"""What sharpening the teacher does to uniform allocations, embeddings, attention and weights alike.

Test accuracy above full precision with the same seed, in points, on Cora's public split: negative
is lost. Every temperature has the same seeds, full-precision weights and teachers.
"""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace

from problem import Problem, load_problem
from report import Row, arguments, finish, std
from sgq_auto.searching.workbench import Workbench
from sgq_auto.training import predict

_MODELS = ("gcn", "gat")
_BITS = (8, 4, 2, 1)
_TEMPERATURES = (1.0, 0.5, 0.35, 0.2)


def main() -> None:
    """Fine-tune every allocation at every temperature."""
    options = arguments(__doc__)
    seeds = range(1 if options.quick else 10)
    models = _MODELS[:1] if options.quick else _MODELS
    bits = _BITS[:1] if options.quick else _BITS
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            problem = load_problem("dataset=cora", f"model={model}", f"output_root={scratch}")
            benches = [Workbench.build(problem.settings, problem.data.graph, s) for s in seeds]
            rows += [_row(model, width, problem, benches) for width in bits]
    finish(rows, options.json)


def _row(model: str, width: int, problem: Problem, benches: Sequence[Workbench]) -> Row:
    row: Row = {"model": model, "bits": width, "seeds": len(benches)}
    for temperature in _TEMPERATURES:
        gains = [
            _gain(width, temperature, problem, bench, seed) for seed, bench in enumerate(benches)
        ]
        row[f"T={temperature}"] = statistics.fmean(gains)
        row[f"T={temperature}_std"] = std(gains)
    return row


def _gain(width: int, temperature: float, problem: Problem, bench: Workbench, seed: int) -> float:
    """Points of test accuracy above full precision."""
    finetune = replace(bench.settings.finetune, teacher_temperature=temperature)
    tempered = replace(bench, settings=replace(bench.settings, finetune=finetune))
    params = dict.fromkeys(bench.space.searched, bench.space.ladder.index(width))
    model, _ = tempered.finetune(bench.space.allocation(params), seed)
    held_out = problem.data.held_out
    full, quantized = (predict(m, bench.graph) for m in (bench.full_precision(), model))
    return 100 * (held_out.accuracy(quantized) - held_out.accuracy(full))


if __name__ == "__main__":
    main()
