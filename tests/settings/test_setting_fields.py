"""Settings made of plain values: types, names, and what is said of bad ones."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from sgq_auto.errors import InputError
from sgq_auto.settings.setting_fields import NAME, settings_from


class _Metal(StrEnum):
    TIN = "tin"
    LEAD = "lead"


@dataclass(frozen=True)
class _Bell:
    """A settings class with a field of every kind."""

    metal: _Metal
    tones: tuple[int, ...]
    where: Path
    weight: float | None = None
    marks: tuple[float, ...] | None = None
    hung: bool = field(default=True, metadata={NAME: "is_hung"})

    def __post_init__(self) -> None:
        if not self.tones:
            raise InputError("tones=[]: give one or more")


_PLAIN = {
    "metal": "lead",
    "tones": [3, 4],
    "where": "a/b",
    "weight": None,
    "marks": [0.5],
    "is_hung": False,
    "of_another_class": 1,
}


def test_values_get_the_types_of_their_fields() -> None:
    made = settings_from(_Bell, _PLAIN, "bell")
    assert made == _Bell(_Metal.LEAD, (3, 4), Path("a/b"), None, (0.5,), hung=False)
    assert type(made.metal) is _Metal


def test_a_closed_choice_is_named_with_its_choices() -> None:
    with pytest.raises(InputError, match=r"^bell\.metal=gold: choose one of tin, lead$"):
        settings_from(_Bell, {**_PLAIN, "metal": "gold"}, "bell")
    with pytest.raises(InputError, match=r"^metal=gold: "):
        settings_from(_Bell, {**_PLAIN, "metal": "gold"})


def test_what_a_class_refuses_is_said_with_its_section() -> None:
    with pytest.raises(InputError, match=r"^bell\.tones=\[\]: give one or more$"):
        settings_from(_Bell, {**_PLAIN, "tones": []}, "bell")


def test_a_value_that_is_not_given_is_a_fault_of_the_caller() -> None:
    with pytest.raises(KeyError, match="where"):
        settings_from(_Bell, {k: v for k, v in _PLAIN.items() if k != "where"}, "bell")
