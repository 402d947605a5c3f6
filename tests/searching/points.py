"""Measured allocations that tests make up."""

from sgq_auto.searching import TrialRecord
from sgq_auto.searching.trials.repeated_measurements import Estimate
from sgq_auto.searching.trials.trial_records import Measurement


def point(number: int, accuracy: float, num_bytes: int) -> Estimate:
    measurement = Measurement(accuracy, {}, 1.0, (), 0.1)
    params = {"all": number % 3}
    record = TrialRecord(number, params, num_bytes, measurement, 0.1, None, 0, 0)
    return Estimate(record, accuracy, 1)
