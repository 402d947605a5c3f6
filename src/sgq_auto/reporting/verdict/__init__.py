"""What a search's answer is worth: drops of the confirmed points, and sentences about them."""

from sgq_auto.reporting.verdict.drop_points import (
    DropPoint,
    allowed_drop,
    confidence_text,
    drop_points,
    highest_drop,
)
from sgq_auto.reporting.verdict.promises import lost, more_than_allowed, promised, why_this_one
from sgq_auto.reporting.verdict.recommended_file import file_lines, sizes_text

__all__ = [
    "DropPoint",
    "allowed_drop",
    "confidence_text",
    "drop_points",
    "file_lines",
    "highest_drop",
    "lost",
    "more_than_allowed",
    "promised",
    "sizes_text",
    "why_this_one",
]
