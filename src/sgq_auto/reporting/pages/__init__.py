"""Pages of one file each, which load nothing: charts as values, and what writes them as HTML."""

from sgq_auto.reporting.pages.chart import Band, Chart, Curve, Label, Level, Mark, MarkKind, steps
from sgq_auto.reporting.pages.chart_axis import Axis, Slots, Tick
from sgq_auto.reporting.pages.page_templates import render

__all__ = [
    "Axis",
    "Band",
    "Chart",
    "Curve",
    "Label",
    "Level",
    "Mark",
    "MarkKind",
    "Slots",
    "Tick",
    "render",
    "steps",
]
