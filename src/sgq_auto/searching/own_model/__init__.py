"""Models that users write: what they are told of the graph, and what makes them the same model."""

from sgq_auto.searching.own_model.changed_in_memory import refuse_changed_in_memory
from sgq_auto.searching.own_model.computation_probe import probe, said_of_output
from sgq_auto.searching.own_model.dotted_names import imported
from sgq_auto.searching.own_model.lazy_layers import initialise
from sgq_auto.searching.own_model.model_instance import arguments_of, check_rebuilt, unwrapped
from sgq_auto.searching.own_model.module_sources import is_own, own_sources, targets_of
from sgq_auto.searching.own_model.size_arguments import (
    CLASSES_AS,
    FEATURES_AS,
    SizeArguments,
    parameters_of,
)

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
