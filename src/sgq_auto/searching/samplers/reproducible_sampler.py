"""Any Optuna sampler, its draws made to depend on nothing but the study."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.optuna_internals import trial_id
from sgq_auto.searching.samplers import InformedSampler
from sgq_auto.searching.trials.standing_trials import place


class ReproducibleSampler(BaseSampler):
    """Makes the sampler of each trial.

    Its draw depends on the seed, the trial's place and the finished trials alone, so that a study
    that was killed goes on exactly as it would have, and no two workers draw the same.

    Args:
        make: Makes a sampler; takes the argument ``seed``.
        seed: Seed of the study.
        sign: Told of each trial, by the storage's identifier, before it is sampled.
    """

    def __init__(
        self,
        make: Callable[..., BaseSampler],
        seed: int,
        sign: Callable[[int], None] | None = None,
    ) -> None:
        self._make = make
        self._seed = seed
        self._sign = sign
        self._sampler = make(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Sign the trial and make its sampler."""
        if self._sign is not None:
            self._sign(trial_id(trial))
        # One that sees the trial's place itself serves all trials.
        if not isinstance(self._sampler, InformedSampler):
            sequence = np.random.SeedSequence([self._seed, place(study, trial.number)])
            self._sampler = self._make(seed=int(sequence.generate_state(1)[0]))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Ask the trial's own sampler; :meth:`before_trial` made it."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask the trial's own sampler, which draws from a seed of this trial alone."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Ask the trial's own sampler for a parameter that it did not sample with others."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the trial's own sampler how the trial ended; it may note attributes."""
        self._sampler.after_trial(study, trial, state, values)
