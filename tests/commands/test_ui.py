"""The MLflow UI on the store that a search wrote to, and its saved views in a real browser."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from browsers import resize, running_browser
from command_runs import QUICK, SYNTHETIC, front_by_size, run, summaries
from servers import free_port
from sgq_auto.commands import ui

pytestmark = pytest.mark.system

_TRIALS = 52
_PATIENCE_SECONDS = 90


def test_the_command_for_another_store_says_which(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ui.ui_command(f"sqlite:///{tmp_path}/mlruns/mlflow.db") == "python -m sgq_auto.ui"
    assert ui.ui_command("http://host:1") == "python -m sgq_auto.ui uri=http://host:1"


@pytest.mark.parametrize("arguments", [[], ["uri=sqlite:///none.db", "--port", "1"]])
def test_a_store_that_is_not_there_is_one_line(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ui", *arguments])
    with pytest.raises(SystemExit) as ended:
        ui.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is no store" in line
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def _running_ui(folder: Path, uri: str) -> Iterator[str]:
    """The UI that ``sgq_auto.ui`` opens; gives the address that it prints."""
    port = free_port()
    command = [sys.executable, "-m", "sgq_auto.ui", f"uri={uri}", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", "1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        _wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/health").status == 200)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(0.3)
    pytest.fail("it did not come in time")


def _texts(browser: Any, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
    return list(browser.execute_script(script, selector))


# What a chart shows: its axes, and the points of each line.
_LINES = """
const plots = [...document.querySelectorAll(".js-plotly-plot")];
return plots.filter(plot => plot.data && plot._fullLayout?.xaxis).map(plot => ({
  axis: plot._fullLayout.xaxis.type,
  lines: plot.data.map(line => [line.name, line.metricKey, line.x, line.y]),
}))
"""
# Points that something covers: the chart's buttons, its legend, or the panel at the right.
_COVERED = """
let panel = document.querySelector(arguments[0]);
while (panel.getBoundingClientRect().height < 500) panel = panel.parentElement;
const right = panel.getBoundingClientRect().left;
return [...document.querySelectorAll(".js-plotly-plot")].map(plot => {
  const buttons = plot.querySelector(".modebar").getBoundingClientRect();
  const own = plot.getBoundingClientRect();
  const points = [...plot.querySelectorAll(".scatterlayer .point")];
  return points.map(point => point.getBoundingClientRect()).filter(at =>
    (at.top < buttons.bottom && at.right > buttons.left) ||
    at.bottom > own.bottom || at.left < own.left || at.right > Math.min(own.right, right)
  ).length;
})
"""
_SCROLL = """
let area = document.querySelector(".js-plotly-plot");
while (area && !["auto", "scroll"].includes(getComputedStyle(area).overflowY))
  area = area.parentElement;
area.scrollTop += arguments[0];
"""
# In the side panel, which is open for whoever has not closed it.
_PANEL = "[data-component-id='mlflow.assistant.chat_panel.close']"
_LABELS = ".parcoords .label"


def _drawn(browser: Any, metric: str) -> tuple[str, dict[str, dict[int, float]]] | None:
    """The first chart of a metric: the type of its axis, and its lines by the runs' names."""
    for chart in browser.execute_script(_LINES):
        if any(key == metric for _, key, _, _ in chart["lines"]):
            lines = {
                name: dict(zip(x, y, strict=True))
                for name, key, x, y in chart["lines"]
                if key == metric
            }
            return chart["axis"], lines
    return None


@dataclass(frozen=True)
class Pages:
    """Two studies in the UI.

    Attributes:
        browser: The browser.
        studies: The address of the view of studies, as ``sgq_auto.ui`` prints it.
        gat: What the first search found.
        gcn: What the second one found, which has more trials than the UI draws by itself.
    """

    browser: Any
    studies: str
    gat: dict[str, Any]
    gcn: dict[str, Any]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder = tmp_path_factory.mktemp("ui")
    uri = f"sqlite:///{folder}/elsewhere.db"
    for more in (["model=gat"], [f"n_trials={_TRIALS}"]):
        done = run(folder, *SYNTHETIC, *QUICK, f"tracking.uri={uri}", *more)
        assert done.returncode == 0, done.stderr
    assert f"python -m sgq_auto.ui uri={uri}" in done.stdout
    with running_browser() as browser, _running_ui(folder, uri) as studies:
        resize(browser, 1280)
        yield Pages(browser, studies, *summaries(folder))


@pytest.mark.slow
def test_fronts_lie_over_each_other_in_the_view_of_studies(pages: Pages) -> None:
    browser, fronts = pages.browser, {s["study"]: front_by_size(s) for s in (pages.gat, pages.gcn)}
    browser.get(f"{pages.studies}&compareRunsMode=CHART")
    _wait(lambda: _drawn(browser, "front_val_accuracy") == ("log", fronts))
    _wait(lambda: browser.find_elements("css selector", _PANEL))
    first, *_ = browser.execute_script(_LINES)
    assert {key for _, key, _, _ in first["lines"]} == {"front_val_accuracy"}
    assert browser.execute_script(_COVERED, _PANEL)[0] == 0
    browser.execute_script(_SCROLL, 700)
    _wait(lambda: _drawn(browser, "confirmed_accuracy"))
    axis, lines = _drawn(browser, "confirmed_accuracy") or ("", {})
    assert (axis, set(lines)) == ("log", set(fronts))
    tests = {p["confirmed"]["test_accuracy"] for p in pages.gcn["confirmed"]}
    assert set(lines[pages.gcn["study"]].values()) <= tests


@pytest.mark.slow
def test_fronts_lie_over_each_other_where_two_studies_are_compared(pages: Pages) -> None:
    browser, fronts = pages.browser, {s["study"]: front_by_size(s) for s in (pages.gat, pages.gcn)}
    browser.get(pages.studies)
    boxes = "[role=row] .ag-checkbox-input[aria-label*='toggle row selection']"
    _wait(lambda: len(browser.find_elements("css selector", boxes)) == 2)
    for box in browser.find_elements("css selector", boxes):
        browser.execute_script("arguments[0].click()", box)
    _wait(lambda: browser.find_elements("xpath", "//button[.='Compare']"))
    browser.find_element("xpath", "//button[.='Compare']").click()
    _wait(lambda: browser.find_elements("link text", "front_val_accuracy"))
    assert "compare-runs" in browser.current_url
    browser.find_element("link text", "front_val_accuracy").click()
    # No way leads to a log axis here.
    _wait(lambda: _drawn(browser, "front_val_accuracy") == ("linear", fronts))


@pytest.mark.slow
def test_trials_compare_in_the_ui(pages: Pages) -> None:
    browser, complete = pages.browser, pages.gcn["trials"]["complete"]
    browser.get(pages.studies)
    headings = "[role=columnheader] *"
    _wait(lambda: "recommended_resident_ratio" in _texts(browser, headings))
    assert {"synthetic", "gcn", "lwq_cwq_taq"} <= set(_texts(browser, ".ag-cell"))
    # From the study to its trials, by the link that its description holds.
    _wait(lambda: browser.find_elements("partial link text", "synthetic-gcn"))
    browser.find_element("partial link text", "synthetic-gcn").click()
    _wait(lambda: browser.find_elements("link text", "Compare its trials"))
    report = browser.current_url.partition("?")[0] + "/artifacts/report.html"
    browser.find_element("link text", "Compare its trials").click()
    _wait(lambda: len(browser.window_handles) == 2)
    browser.switch_to.window(browser.window_handles[-1])
    resize(browser, 1280)
    _wait(lambda: any(f"{complete} matching" in t for t in _texts(browser, "span")))
    _wait(lambda: len(_texts(browser, ".scatterlayer .point")) == complete)
    assert browser.execute_script(_COVERED, _PANEL)[0] == 0
    browser.execute_script(_SCROLL, 700)
    _wait(lambda: browser.find_elements("css selector", _LABELS))
    labels = _texts(browser, _LABELS)
    assert labels[-2:] == ["resident_kib", "val_accuracy"]
    assert 3 <= len(labels) <= 10
    # A name that the UI has cut has dots in its middle.
    assert all("..." not in label and len(label) <= 15 for label in labels)
    browser.get(report)
    _wait(lambda: browser.find_elements("tag name", "iframe"))
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    _wait(lambda: browser.find_elements("css selector", "figure .mark.front"))
    assert "gcn on synthetic" in _texts(browser, ".answer")[0]
