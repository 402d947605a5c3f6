"""The MLflow UI on the store that a search wrote to, and its saved views in a real browser."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsers import resize, running_browser
from commands import QUICK, SYNTHETIC, run
from servers import free_port
from sgq_auto import ui

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


@pytest.mark.slow
def test_studies_and_trials_compare_in_the_ui(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    search = [*SYNTHETIC, *QUICK, f"n_trials={_TRIALS}", f"tracking.uri={uri}"]
    done = run(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    assert f"python -m sgq_auto.ui uri={uri}" in done.stdout
    with running_browser() as browser, _running_ui(tmp_path, uri) as studies:
        resize(browser, 1800, 1000)
        browser.get(studies)
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
        _wait(lambda: any(f"{_TRIALS} matching" in t for t in _texts(browser, "span")))
        _wait(lambda: len(_texts(browser, ".scatterlayer .point")) == _TRIALS)
        _wait(lambda: browser.find_elements("css selector", ".parcoords"))
        browser.get(report)
        _wait(lambda: browser.find_elements("tag name", "iframe"))
        browser.switch_to.frame(browser.find_element("tag name", "iframe"))
        _wait(lambda: browser.find_elements("css selector", "figure .mark.front"))
        assert "gcn on synthetic" in _texts(browser, ".answer")[0]
