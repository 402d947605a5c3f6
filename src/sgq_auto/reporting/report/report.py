"""What a report shows, as values."""

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sgq_auto.reporting.pages import Chart
from sgq_auto.reporting.report.confirmed_rows import ConfirmedRow, confirmed_rows
from sgq_auto.reporting.report.heat_map import BitsMap, LossTable
from sgq_auto.reporting.report.report_charts import drop_chart, hypervolume_chart, search_chart
from sgq_auto.reporting.report.report_sections import (
    Fact,
    PartRow,
    answer,
    drops_in,
    facts,
    notes,
    part_rows,
    remarks,
    warning,
)
from sgq_auto.reporting.verdict.front_panels import Panels
from sgq_auto.reporting.written_units import kib, metric_of
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.command_lines import export_command


@dataclass(frozen=True)
class Choice:
    """A trial whose bits can be shown: its number, a name, and the group that it is listed in."""

    trial: int
    name: str
    group: str


@dataclass(frozen=True)
class Report:
    """What the report of a study shows.

    Attributes:
        study: The study's name.
        description: What was searched, in a line.
        answer: What was found.
        metric_name: What models were judged by.
        drops_in: What drops are counted in.
        warning: What makes it worth little, if something does.
        facts: The figures of the recommended point.
        decides: The drops of the confirmed points, if there are any.
        remarks: Why this point, what can be promised, what test nodes say: a sentence each.
        notes: Which drop is which, and what an interval counts, a sentence each.
        search: All trials and the front.
        export_command: Packs a trial, once its number is added.
        infer_command: Predicts with the recommended artifact, if there is one.
        artifact_reason: Why there is none, if a point is recommended.
        bits_map: Layout of the bits.
        choices: The trials whose bits can be shown.
        chosen: The one that is shown first; ``None`` without any.
        bits: Bits by trial, in the order of sites.
        losses: Sensitivities, if they were measured.
        confirmed: The confirmed points.
        parts: The footprint of the chosen trial by part.
        hypervolume: Hypervolume over trials.
        counts: How many trials ended in which way.
        failures: How many failed for each reason.
        environment: What it ran on.
        command: What repeats it, if that was kept.
    """

    study: str
    description: str
    answer: str
    metric_name: str
    drops_in: str
    warning: str | None
    facts: tuple[Fact, ...]
    decides: Chart | None
    remarks: tuple[str, ...]
    notes: tuple[str, ...]
    search: Chart
    export_command: str
    infer_command: str | None
    artifact_reason: str | None
    bits_map: BitsMap
    choices: tuple[Choice, ...]
    chosen: int | None
    bits: Mapping[int, tuple[int, ...]]
    losses: LossTable | None
    confirmed: tuple[ConfirmedRow, ...]
    parts: tuple[PartRow, ...]
    hypervolume: Chart
    counts: Mapping[str, int]
    failures: Mapping[str, int]
    environment: Mapping[str, str]
    command: str | None

    @classmethod
    def of(cls, progress: StudyProgress, summary: Summary) -> "Report":
        """The report of a search that ended, whether or not something is recommended.

        Args:
            progress: The study, with its trials.
            summary: What the search found.
        """
        bench, settings = progress.bench, progress.bench.settings
        complete = {r.number: progress.allocation(r) for r in progress.records if r.complete}
        best = summary["recommended"] or {}
        choices = _choices(progress, summary)
        chosen = choices[0].trial if choices else None
        sensitivities = progress.start.sensitivities
        artifact = best.get("artifact_path")
        panels = Panels.of(progress, summary)
        infer = shlex.join(["python", "-m", "sgq_auto.infer", f"artifact={artifact}"])
        return cls(
            study=progress.study_name,
            description=_description(settings),
            answer=answer(summary),
            metric_name=metric_of(summary).words,
            drops_in=drops_in(metric_of(summary)),
            warning=warning(summary),
            facts=facts(summary),
            decides=drop_chart(panels, summary) if panels.points else None,
            remarks=remarks(summary),
            notes=notes(summary),
            search=search_chart(progress, panels),
            export_command=export_command(progress.study_name, settings.output_root),
            infer_command=infer if artifact else None,
            artifact_reason=best.get("artifact_reason"),
            bits_map=BitsMap.of(bench.footprints.sites(), bench.space, bench.graph),
            choices=choices,
            chosen=chosen,
            bits={number: tuple(bits.values()) for number, bits in complete.items()},
            losses=LossTable.of(sensitivities) if sensitivities else None,
            confirmed=confirmed_rows(summary),
            parts=part_rows(bench.footprints, bench.footprints.packed_parts(complete[chosen]))
            if chosen is not None
            else (),
            hypervolume=hypervolume_chart(progress.hypervolumes),
            counts=summary["trials"],
            failures=Counter(r.failure for r in progress.records if r.failure is not None),
            environment=summary.get("environment", {}),
            command=summary.get("command"),
        )


def _description(settings: SearchSettings) -> str:
    """What was searched, in a line."""
    return (
        f"{settings.model.name} on {settings.dataset}, {settings.granularity.value}, "
        f"sampler {settings.sampler_name}, seed {settings.seed}"
    )


def _choices(progress: StudyProgress, summary: Summary) -> tuple[Choice, ...]:
    """Every trial that ran to its end, the recommended one (or the nearest miss) first."""
    best = "recommended" if summary["recommended"] else "nearest_miss"
    first = (summary[best] or {}).get("trial")
    confirmed = {point["trial"] for point in summary["confirmed"]}
    front = {point.number for point in progress.front}

    def group(number: int) -> str:
        if number == first:
            return best.replace("_", " ")
        return "confirmed" if number in confirmed else "front" if number in front else "others"

    metric = progress.bench.graph.metric
    choices = [
        Choice(
            record.number,
            f"trial {record.number}: {kib(record.num_bytes)}, {metric.text(record.val_accuracy)}",
            group(record.number),
        )
        for record in sorted(progress.records, key=lambda r: (r.num_bytes, r.number))
        if record.complete
    ]
    order = ("recommended", "nearest miss", "confirmed", "front", "others")
    return tuple(sorted(choices, key=lambda choice: order.index(choice.group)))
