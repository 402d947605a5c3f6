"""Pages of one file each, which load nothing: charts as values, and what writes them as HTML."""

from sgq_auto.tracking.pages.axis import Axis, Slots, Tick
from sgq_auto.tracking.pages.chart import Band, Chart, Curve, Label, Level, Mark, MarkKind, steps
from sgq_auto.tracking.pages.render import render

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
