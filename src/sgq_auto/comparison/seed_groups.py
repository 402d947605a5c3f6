"""Studies that differ in their seed only, as one: means, and what the seeds spread over."""

import shlex
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sgq_auto.errors import InputError
from sgq_auto.reporting.written_units import metric_of, plotted
from sgq_auto.searching.search_progress import Summary

Front = list[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Group:
    """Studies that differ in their seed only.

    Attributes:
        name: What tells it from the others.
        summaries: What its studies found, by seed.
    """

    name: str
    summaries: tuple[Summary, ...]

    @property
    def dataset(self) -> str:
        """The name of the graph that they were searched on; fronts compare on one graph only."""
        return str(self.summaries[0]["dataset"])

    @property
    def recommended(self) -> list[Summary]:
        """The recommended points of those studies that have one."""
        return [s["recommended"] for s in self.summaries if s["recommended"]]

    def fronts(self) -> list[Front]:
        """Each study's front: KiB under the objective, and validation accuracy in percent."""
        objective = self.summaries[0]["objective"]
        return [
            [(p[objective] / 1024, plotted(metric_of(s), p["val_accuracy"])) for p in s["front"]]
            for s in self.summaries
            if s["front"]
        ]

    def mean_front(self, over: Callable[[Sequence[float]], float] = statistics.fmean) -> Front:
        """The fronts as one staircase: from where every study has a point on.

        Args:
            over: What is taken of the studies' accuracies at each size.
        """
        fronts = self.fronts()
        if not fronts:
            return []
        start = max(front[0][0] for front in fronts)
        sizes = sorted({size for front in fronts for size, _ in front if size >= start})
        return [(size, over([_at(front, size) for front in fronts])) for size in sizes]


def group_studies(summaries: Sequence[Summary]) -> tuple[Group, ...]:
    """The groups, in the order in which their first studies were given.

    Raises:
        InputError: If studies minimise different figures, so that nothing of them compares.
    """
    objectives = {s["objective"]: s["study"] for s in summaries}
    if len(objectives) > 1:
        which = ", ".join(f"{study} {objective}" for objective, study in objectives.items())
        raise InputError(
            f"objectives differ ({which}): fronts and hypervolumes compare under one objective only"
        )
    if len({metric_of(s) for s in summaries}) > 1:
        which = ", ".join(f"{s['study']} {metric_of(s)}" for s in summaries)
        raise InputError(f"metrics differ ({which}): only studies of one metric compare")
    families: dict[str, list[Summary]] = {}
    for summary in summaries:
        # A study of a version that noted no family stands for itself.
        key = str(summary.get("family", summary["study"]))
        families.setdefault(key, []).append(summary)
    names = _names(list(families.values()))
    return tuple(
        Group(name, tuple(sorted(family, key=lambda s: s["seed"])))
        for name, family in zip(names, families.values(), strict=True)
    )


def _names(families: Sequence[Sequence[Summary]]) -> list[str]:
    """What tells the families apart: model, graph and granularity, and else their overrides."""
    plain = [
        f"{f[0]['model']} on {f[0]['dataset']}, {f[0]['granularity']}, {f[0]['sampler']}"
        for f in families
    ]
    overrides = [_overrides(family[0]) for family in families]
    names = []
    for name, own in zip(plain, overrides, strict=True):
        alike = [o for n, o in zip(plain, overrides, strict=True) if n == name]
        shared = set.intersection(*map(set, alike))
        extra = " ".join(o for o in own if o not in shared)
        names.append(f"{name} ({extra})" if len(alike) > 1 and extra else name)
    return [
        f"{name} [{family[0]['study'].rpartition('-')[2]}]" if names.count(name) > 1 else name
        for name, family in zip(names, families, strict=True)
    ]


def _overrides(summary: Summary) -> list[str]:
    words = shlex.split(summary.get("command") or "")[3:]
    return [word for word in words if not word.startswith(("seed=", "workers="))]


def _at(front: Front, size: float) -> float:
    """The accuracy that a front reaches within a size; its first point lies within."""
    return max(accuracy for own, accuracy in front if own <= size)
