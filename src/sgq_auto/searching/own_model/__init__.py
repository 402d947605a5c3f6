"""Models that users write: what they are told of the graph, and what makes them the same model."""

from sgq_auto.searching.own_model.changed import refuse_changed_in_memory
from sgq_auto.searching.own_model.imported import imported
from sgq_auto.searching.own_model.instance import arguments_of, check_rebuilt, unwrapped
from sgq_auto.searching.own_model.lazy import initialise
from sgq_auto.searching.own_model.probe import probe, said_of_output
from sgq_auto.searching.own_model.sizes import (
    CLASSES_AS,
    FEATURES_AS,
    SizeArguments,
    parameters_of,
)
from sgq_auto.searching.own_model.sources import is_own, own_sources, targets_of

__all__ = [
    "CLASSES_AS",
    "FEATURES_AS",
    "SizeArguments",
    "arguments_of",
    "check_rebuilt",
    "imported",
    "initialise",
    "is_own",
    "own_sources",
    "parameters_of",
    "probe",
    "refuse_changed_in_memory",
    "said_of_output",
    "targets_of",
    "unwrapped",
]
