"""The user's own code that a study was searched with, kept as hashes with the study."""

from collections.abc import Mapping

import optuna

from sgq_auto.errors import InputError
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study_attributes import SOURCES, own_attributes


def keep_sources(study: optuna.Study, sources: Mapping[str, str]) -> None:
    """Note with a study which own code its model is; there is none for a model of PyG."""
    if sources and SOURCES not in own_attributes(study.user_attrs):
        study.set_user_attr(SOURCES, dict(sources))


def kept_sources(study: optuna.Study) -> dict[str, str]:
    """What :func:`keep_sources` noted; nothing for studies of earlier versions."""
    kept: dict[str, str] = own_attributes(study.user_attrs).get(SOURCES, {})
    return kept


def refuse_edited(study: optuna.Study, settings: SearchSettings) -> None:
    """Refuse a study whose model's code is no longer what was searched.

    What would be trained from it now is another model than the study measured.

    Raises:
        InputError: If own modules were edited, or cannot be imported.
    """
    kept = kept_sources(study)
    if not kept:
        return
    now = settings.model.sources
    edited = sorted(name for name in kept.keys() | now.keys() if kept.get(name) != now.get(name))
    if edited:
        raise InputError(
            f"study={study.study_name}: the code of its model was edited since it was searched "
            f"({', '.join(edited)}); put back what it was, or search again"
        )
