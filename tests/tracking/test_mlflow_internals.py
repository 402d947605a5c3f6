"""What this project uses of MLflow that is not public is still there."""

import re
from pathlib import Path

import mlflow
import pytest
from mlflow.utils import mlflow_tags

import sgq_auto
from sgq_auto.tracking import mlflow_internals
from sgq_auto.tracking.mlflow_internals import (
    NOTE_TAG,
    PARENT_TAG,
    RUN_NAME_TAG,
    SEEN_TO_WORK,
    SOURCE_TAGS,
    Section,
    bar_chart,
    line_chart,
    parallel_chart,
    scatter_chart,
    view_state,
    view_tag,
    view_url,
)

_CHANGED = (
    f"MLflow {mlflow.__version__} is not as {SEEN_TO_WORK} was, which "
    "src/sgq_auto/tracking/mlflow_internals.py was seen to work with"
)


@pytest.fixture(scope="module")
def ui() -> str:
    """The program of the UI."""
    files = sorted((Path(mlflow.__file__).parent / "server" / "js" / "build").rglob("*.js"))
    assert files, f"{_CHANGED}: its UI is elsewhere"
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


def test_no_other_module_names_what_is_not_public() -> None:
    private = re.compile(
        r"mlflow[\w.]*\._[a-z]|mlflow\.(parentRunId|runName|note\.|source\.|sharedViewState)"
    )
    own = Path(mlflow_internals.__file__)
    assert private.search(own.read_text(encoding="utf-8"))
    for path in Path(sgq_auto.__file__).parent.rglob("*.py"):
        if path != own:
            found = private.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found and found[0]}"


def test_tags_of_runs_are_mlflows_own() -> None:
    assert PARENT_TAG == mlflow_tags.MLFLOW_PARENT_RUN_ID, _CHANGED
    assert RUN_NAME_TAG == mlflow_tags.MLFLOW_RUN_NAME, _CHANGED
    assert NOTE_TAG == mlflow_tags.MLFLOW_RUN_NOTE, _CHANGED
    sources = {mlflow_tags.MLFLOW_SOURCE_NAME, mlflow_tags.MLFLOW_SOURCE_TYPE}
    assert set(SOURCE_TAGS) == sources, _CHANGED


def test_the_ui_has_views_and_pages_by_these_names(ui: str) -> None:
    address = view_url("", "1", "key") + "&compareRunsMode=CHART"
    names = {view_tag(""), "deflate;", *re.findall(r"[?&](\w+)=", address)}
    assert len(names) == 5
    missing = {name for name in names if name not in ui}
    assert not missing, f"{_CHANGED}: its UI has no {missing}"


def test_the_ui_knows_every_part_of_a_views_state(ui: str) -> None:
    charts = [
        line_chart(["a"], log_steps=True),
        scatter_chart("a", "b"),
        parallel_chart(["a"], ["b"]),
        bar_chart("a"),
    ]
    state = view_state("", ["params.`a`"], [Section("S", charts, 1, 9)], orderByKey="a")
    parts = [state, *state["compareRunCharts"], *state["compareRunSections"]]
    names = {name for part in parts for name in part} | {"orderByAsc", "SHOW_ALL", "PARALLEL"}
    missing = {name for name in names if name not in ui}
    assert not missing, f"{_CHANGED}: its UI has no {missing}"
