"""Pages from templates: whatever a value holds is escaped, and nothing is loaded from elsewhere."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from sgq_auto.text.safe_text import harmless

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **values: Any) -> str:
    """A page as HTML, its style and scripts within.

    Args:
        template: File name of a template of this package.
        **values: What it shows.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    """What is shown of a value: text that steers nothing; what is HTML already stays."""
    return harmless(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
