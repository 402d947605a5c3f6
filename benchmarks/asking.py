"""Seconds that a sampler takes for a proposal, after 300 trials of 40 sites."""

import statistics

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import create_trial

from report import Row, arguments, finish, interleaved, timed
from sgq_auto.searching.measuring.sensitivity import Sensitivities
from sgq_auto.searching.samplers import AutoBitSampler, Knowledge, PaperSampler
from sgq_auto.searching.space.size_table import SizeTable

_TRIALS, _LADDER = 300, (1, 2, 3, 4, 6, 8)
_SITES = tuple(f"conv{k // 4}.embedding.{k % 4}" for k in range(40))
SPACE: dict[str, BaseDistribution] = {name: IntDistribution(0, len(_LADDER) - 1) for name in _SITES}
_WEIGHTS = np.random.default_rng(0).random(len(_SITES))
SIZES = SizeTable(
    base=np.array([800_000]),
    added=(80_000 * _WEIGHTS[:, None, None] * np.arange(len(_LADDER))[:, None]).astype(np.int64),
)
SENSITIVITIES = Sensitivities(_SITES, _LADDER, _WEIGHTS[:, None] / np.array(_LADDER))
KNOWLEDGE = Knowledge(SIZES, SENSITIVITIES.losses, parameters=_SITES)


def main() -> None:
    """Ask each sampler for one trial, in turns."""
    options = arguments(__doc__)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    repetitions = 2 if options.quick else 15
    samplers: dict[str, BaseSampler] = {
        "abs": AutoBitSampler(seed=0, knowledge=KNOWLEDGE),
        "abs_paper": PaperSampler(seed=0, knowledge=KNOWLEDGE),
        "tpe": TPESampler(seed=0),
        "gp": GPSampler(seed=0),
    }
    studies = {name: _study(sampler) for name, sampler in samplers.items()}
    sides = {name: lambda s=study: timed(lambda: _ask(s)) for name, study in studies.items()}
    seconds = interleaved(sides, repetitions)
    rows: list[Row] = [
        {
            "sampler": name,
            "milliseconds": 1e3 * statistics.median(values),
            "slowest": 1e3 * max(values),
        }
        for name, values in seconds.items()
    ]
    finish(rows, options.json)


def _study(sampler: BaseSampler) -> optuna.Study:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    rng = np.random.default_rng(1)
    for row in rng.integers(0, len(_LADDER), size=(_TRIALS, len(_SITES))):
        accuracy = float(row @ _WEIGHTS / (len(_LADDER) * _WEIGHTS.sum()) + 0.01 * rng.normal())
        params = dict(zip(SPACE, row.tolist(), strict=True))
        values = [accuracy, float(SIZES(row[None])[0])]
        study.add_trial(create_trial(params=params, distributions=SPACE, values=values))
    return study


def _ask(study: optuna.Study) -> None:
    trial = study.ask(SPACE)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)


if __name__ == "__main__":
    main()
