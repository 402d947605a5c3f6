"""Engines agree on models of any shape; ``benchmarks/engines_agree.py`` asks 20,000 of them."""

from pathlib import Path

import pytest
from agreement import agreement_of


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_engines_agree_on_random_models(first: int, tmp_path: Path) -> None:
    differing = [s for s in range(first, first + 20) if not agreement_of(s, tmp_path).holds]
    assert differing == []


@pytest.mark.parametrize("spread", [6.0, 36.0])
def test_engines_agree_whatever_the_scales(spread: float, tmp_path: Path) -> None:
    differing = [s for s in range(10) if not agreement_of(s, tmp_path, spread).holds]
    assert differing == []
