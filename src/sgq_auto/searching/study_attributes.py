"""The names of all attributes that a study and its trials have in their storage.

They are on disk: names change for new studies only, and :func:`own_attributes` reads all that there
ever were.
"""

from collections.abc import Mapping
from typing import Any

_PREFIX = "sgq_auto:"

# Of a trial. How often its allocation was measured before; 0 if it is not there.
REPEAT = f"{_PREFIX}repeat"
# Its measurement, or why it has none: one write a trial.
RECORD = f"{_PREFIX}record"
# The traceback of a trial that failed by an error.
TRACEBACK = f"{_PREFIX}traceback"
# What the values of one that was stopped early would have become.
ESTIMATE = f"{_PREFIX}estimate"
# Its place among the allocations that the study starts with.
START = f"{_PREFIX}start"
# Of one that was left: it does not count.
SUPERSEDED = f"{_PREFIX}superseded"
# The number of the trial that this one is instead of.
REPLACES = f"{_PREFIX}replaces"
# Who runs it, and how often that process has given a sign of life.
WORKER = f"{_PREFIX}worker"
# Why it lost its worker.
LOST = f"{_PREFIX}lost"
# How many workers died over its allocation.
DEATHS = f"{_PREFIX}deaths"
# Of a merged study's trial: where it was measured.
ORIGIN = f"{_PREFIX}origin"

# Of a study. Seconds of its trials, and of the whole commands that led it.
SEARCH_SECONDS = f"{_PREFIX}search_seconds"
WALL_SECONDS = f"{_PREFIX}wall_seconds"
# The total of trials that its leader confirms the front of.
CONFIRMING = f"{_PREFIX}confirming"
# The bit-widths that parameters are positions of, for who looks at a study.
LADDER = f"{_PREFIX}ladder"
# Hashes of the sources of the user's own modules, by name.
SOURCES = f"{_PREFIX}model_sources"

# What version 0.1.0 called some of them.
_EARLIER = {
    name.removeprefix(_PREFIX): name
    for name in (REPEAT, RECORD, SEARCH_SECONDS, WALL_SECONDS, CONFIRMING, LADDER, SOURCES)
}


def own_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The user attributes of a study or a trial by the names above, whichever version wrote them.

    Where a study has an attribute under both names, the one of this version holds.
    """
    earlier = {new: attributes[old] for old, new in _EARLIER.items() if old in attributes}
    return {**earlier, **{k: v for k, v in attributes.items() if k not in _EARLIER}}
