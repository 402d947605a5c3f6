"""Types of the configuration, made of the settings classes; OmegaConf refuses what does not fit."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass, make_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from sgq_auto.settings import (
    BucketSettings,
    Budget,
    ConfirmSettings,
    EngineSettings,
    FitSettings,
    FootprintSettings,
    RootSettings,
    StorageSettings,
    TrackingConfig,
    TuneSettings,
)
from sgq_auto.settings.setting_fields import required_type, setting_name
from sgq_auto.text.passwords import hide

# Sections, and the classes whose fields are their settings; "" is the root.
SECTIONS: Mapping[str, tuple[type, ...]] = {
    "storage": (StorageSettings,),
    "engine": (EngineSettings,),
    "pretrain": (FitSettings, TuneSettings),
    "finetune": (FitSettings,),
    "buckets": (BucketSettings,),
    "confirm": (ConfirmSettings,),
    "footprint": (FootprintSettings,),
    "tracking": (TrackingConfig,),
    "": (RootSettings, Budget),
}
# Sections that hold what a file of their group says, and what classes of others are given.
_OPEN_SECTIONS = ("dataset", "model", "granularity", "sampler")
# Only files under conf/ use it.
_FOR_FILES = (("data_root", str),)
# As OmegaConf writes a value that must be given.
_REQUIRED = "???"


def _settings(section: str) -> Iterator[tuple[str, Any, "Field[Any]"]]:
    """Names, types and fields of a section's settings."""
    for kind in SECTIONS[section]:
        hints = get_type_hints(kind)
        for each in fields(kind):
            yield setting_name(each), hints[each.name], each


def _choices() -> Iterator[tuple[str, tuple[str, ...]]]:
    for section in SECTIONS:
        for name, annotation, _ in _settings(section):
            kind, _ = required_type(annotation)
            if isinstance(kind, type) and issubclass(kind, StrEnum):
                yield f"{section}.{name}".lstrip("."), tuple(member.value for member in kind)


def _plain_type(annotation: Any) -> Any:
    """The type of a setting's plain value, as OmegaConf knows types."""
    kind, optional = required_type(annotation)
    origin = get_origin(kind)
    if origin is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        kind = dict[str, Any]
    elif isinstance(kind, type) and issubclass(kind, StrEnum | Path):
        kind = str
    return kind | None if optional else kind


def _plain_default(of: "Field[Any]") -> Any:
    """A field of the schema with the default of a settings class's field, as a plain value.

    Without one the setting must be given. The configuration that a study keeps lacks settings that
    were added after it: those have defaults.
    """
    if of.default_factory is not MISSING:
        made: Callable[[], Any] = of.default_factory
        return field(default_factory=made)
    if of.default is MISSING:
        return _REQUIRED
    if isinstance(of.default, tuple):
        values = of.default
        return field(default_factory=lambda: list(values))
    return str(of.default) if isinstance(of.default, StrEnum | Path) else of.default


def _schema(section: str, *more: tuple[str, Any]) -> type:
    own = [(name, _plain_type(kind), _plain_default(of)) for name, kind, of in _settings(section)]
    others = [(name, kind, _default_section(kind)) for name, kind in more]
    return make_dataclass(section.capitalize() or "Schema", [*own, *others])


def _default_section(kind: Any) -> Any:
    """A section as its settings' defaults make it: studies lack those that were added later."""
    return (
        field(default_factory=kind) if isinstance(kind, type) and is_dataclass(kind) else _REQUIRED
    )


# Values of settings that are closed choices: told to people before anything large is imported.
CHOICES: Mapping[str, tuple[str, ...]] = dict(_choices())
# The root configuration.
Schema = _schema(
    "",
    *((section, _schema(section)) for section in SECTIONS if section),
    *((section, dict[str, Any]) for section in _OPEN_SECTIONS),
    *_FOR_FILES,
)


def checked(cfg: Any) -> Any:
    """The configuration, its types checked, its interpolations resolved, its passwords hidden.

    Raises:
        OmegaConfBaseException: If a value does not fit.
    """
    from omegaconf import OmegaConf  # Not for who only asks which settings there are.

    merged = OmegaConf.merge(OmegaConf.structured(Schema), cfg)
    OmegaConf.resolve(merged)
    for group, name in ((merged.tracking, "uri"), (merged.storage, "url")):
        if group[name] is not None:
            group[name] = hide(group[name])
    return merged
