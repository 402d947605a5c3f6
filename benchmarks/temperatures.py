"""What sharpening the teacher does to uniform allocations, embeddings, attention and weights alike.

Test accuracy above full precision with the same seed, in points, on Cora's public split: negative
is lost. Every temperature has the same seeds, full-precision weights and teachers.
"""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from problem import Problem, load_problem
from report import Row, arguments, finish, std
from sgq_auto.searching.measuring.workbench import Workbench
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
    held_out = problem.data.held_out
    full = [held_out.accuracy(predict(bench.full_precision(), bench.graph)) for bench in benches]
    for temperature in _TEMPERATURES:
        tested = [
            held_out.accuracy(predict(_finetuned(bench, width, temperature, seed), bench.graph))
            for seed, bench in enumerate(benches)
        ]
        gains = [100 * (after - before) for before, after in zip(full, tested, strict=True)]
        row[f"T={temperature}"] = statistics.fmean(gains)
        row[f"T={temperature}_std"] = std(gains)
    return row


def _finetuned(bench: Workbench, width: int, temperature: float, seed: int) -> nn.Module:
    finetune = replace(bench.settings.finetune, teacher_temperature=temperature)
    tempered = replace(bench, settings=replace(bench.settings, finetune=finetune))
    params = dict.fromkeys(bench.space.searched, bench.space.ladder.index(width))
    model, _ = tempered.finetune(bench.space.allocation(params), seed)
    return model


if __name__ == "__main__":
    main()
