"""The report of a study: what it says, and how it behaves in a real browser."""

import html
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browsers import requested, resize, running_browser
from made_studies import (
    answered,
    confirmed_summary,
    made_progress,
    of_earlier_version,
    record,
    shipped,
    summary,
)
from sgq_auto.graphs import PreparedData
from sgq_auto.packed import Part
from sgq_auto.reporting import write_results
from sgq_auto.reporting.report import Report, answer, save_report
from sgq_auto.searching import Granularity, StudyProgress

pytestmark = pytest.mark.system

_HOSTILE = "<img src=x onerror=hacked=1></script><script>hacked=1</script>"


@pytest.fixture
def sitewise(synthetic: PreparedData, tmp_path: Path) -> StudyProgress:
    """A study in which every site has bits of its own."""
    return made_progress(synthetic, tmp_path, granularity=Granularity.LWQ_CWQ_TAQ)


def test_the_answer_names_size_ratio_accuracy_and_the_interval(progress: StudyProgress) -> None:
    found = confirmed_summary(progress)
    best = found["recommended"]
    text = answer(found)
    # Student's t for 5 seeds is 2.776: 2.776 x 0.4 / sqrt(5) = 0.497.
    assert "+0.90 ± 0.50 points over 5 seeds" in text
    assert f"{best['resident_bytes'] / 1024:,.1f} KiB of resident memory" in text
    assert f"{best['resident_ratio']:.0f} times less" in text
    assert f"{best['resident_ratio_sparse_fp32']:.1f} times less than sparse fp32" in text
    assert "71.0 % test accuracy" in text


def test_the_answer_is_of_the_one_packed_model(progress: StudyProgress) -> None:
    models = [shipped(0.5, 1.9, 0.3), shipped(-0.4, 0.31, 1.2), shipped(-0.9, -0.2, -0.7)]
    found = answered(progress, list(models), best=1)
    text = answer(found)
    assert "With 90 % confidence the drop of the packed model is at most +0.31 points" in text
    assert "on test nodes it has 69.8 % against 71.0 % at full precision" in text
    assert "(mean drop +0.30 ± 0.50 points over 5 seeds)" in text
    figures = {fact.name: (fact.value, fact.note) for fact in Report.of(progress, found).facts}
    assert figures["estimated drop, points"] == ("-0.40", "-1.32 to +0.52 with 90 % confidence")
    assert figures["test drop, points"] == ("+1.20", "mean +0.30 ± 0.50 (95 %)")
    assert figures["bits cost, points"] == ("+0.90", "mean over 5 seeds")


def test_the_page_says_why_and_which_drop_is_which(progress: StudyProgress, tmp_path: Path) -> None:
    models = [shipped(0.5, 1.9, 0.3), shipped(-0.4, 0.31, 1.2), shipped(-0.9, -0.2, -0.7)]
    found = answered(progress, list(models), best=1)
    save_report(progress, found, tmp_path / "report.html")
    page = html.unescape((tmp_path / "report.html").read_text().replace("\u00a0", " "))
    chart, why, lost, note, front = (
        page.index(text)
        for text in (
            "recommended: trial",
            "Why this one: of 3 confirmed points",
            "On test nodes this artifact loses 1.20 points",
            "The test drop compares with plain full precision (71.0 % on test nodes)",
            "<h2>Front</h2>",
        )
    )
    assert chart < why < lost < note < front
    assert "Bits cost compares with distilled full precision (71.6 %)" in page
    assert "Teaching alone gains 0.60 points." in page
    assert "uncertainty: there are only 500 validation labels" in page
    old = of_earlier_version(found)
    save_report(progress, old, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Why this one" not in page
    assert '<th class="spare">bits cost' not in page
    assert "a drop of +0.30 ± 0.50 points over 5 seeds" in page.replace("\u00a0", " ")


def test_without_a_recommendation_the_answer_is_the_reason(progress: StudyProgress) -> None:
    assert "nothing was confirmed" in answer(summary(progress))
    report = Report.of(progress, summary(progress))
    assert report.facts == ()
    assert report.confirmed == ()
    assert report.decides is None


def test_without_a_recommendation_the_nearest_miss_is_shown_first(progress: StudyProgress) -> None:
    nearest = progress.front[-1].number
    found = {**summary(progress), "nearest_miss": {"trial": nearest}}
    report = Report.of(progress, found)
    assert report.chosen == nearest != Report.of(progress, summary(progress)).chosen
    assert report.choices[0].group == "nearest miss"


def with_trials(progress: StudyProgress, trials: list[tuple[int, float]]) -> StudyProgress:
    """The study with trials of these ladder positions and accuracies alone."""
    made = StudyProgress(progress.study_name, progress.bench, progress.start)
    made.add(record(progress, k, index, accuracy) for k, (index, accuracy) in enumerate(trials))
    return made


@pytest.mark.parametrize(
    "trials",
    [
        *([], [(1, 0.6), (3, 0.7)], [(1, 0.0)]),
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ([(1, 0.6)], [(2, 0.6)] * 3, [(1, 0.5), (2, 0.5)])
        ),
    ],
)
@pytest.mark.filterwarnings("error")
def test_pages_and_pictures_are_made_of_any_number_of_points(
    trials: list[tuple[int, float]], progress: StudyProgress, tmp_path: Path
) -> None:
    made = with_trials(progress, trials)
    for found in (summary(made), confirmed_summary(made) if trials else summary(made)):
        write_results(made, found, tmp_path)
        page = (tmp_path / "report.html").read_text()
        assert "nan" not in page.lower().split("</style>")[1].split("<script")[0]
        assert (tmp_path / "front.png").stat().st_size > 5000
        if not trials:
            assert "nothing was confirmed" in page


def test_a_weak_full_precision_is_said_at_the_top(progress: StudyProgress, tmp_path: Path) -> None:
    warning = "Warning: full precision is no better than guessing: right on 31.2 %"
    found = confirmed_summary(progress) | {"guessing": {"warning": warning}}
    save_report(progress, found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text().replace("\u00a0", " ")
    assert page.index(warning) < page.index("<h2>Front</h2>")
    assert Report.of(progress, summary(progress)).warning is None


def test_parts_add_up_to_the_footprints(progress: StudyProgress) -> None:
    report = Report.of(progress, confirmed_summary(progress))
    footprints = progress.bench.footprints
    chosen = next(r for r in progress.records if r.number == report.chosen)
    packed = footprints.packed(progress.allocation(chosen))
    assert sum(row.packed for row in report.parts) == packed.resident_bytes
    assert sum(row.full for row in report.parts) == footprints.full_precision().resident_bytes
    assert sum(row.sparse for row in report.parts) == footprints.sparse_fp32().resident_bytes
    (features,) = [row for row in report.parts if row.name == "features"]
    assert features.packed == footprints.packed_parts(progress.allocation(chosen))[Part.FEATURES]


def test_the_map_of_bits_shows_every_searched_site_once(sitewise: StudyProgress) -> None:
    report = Report.of(sitewise, confirmed_summary(sitewise))
    sites = [str(site) for site in sitewise.bench.footprints.sites()]
    cells = [cell for _, row in report.bits_map.rows for cell in row]
    shown = {sites[cell.site] for cell in cells if cell.site is not None}
    assert shown == set(sitewise.bench.space.searched)
    buckets = len(sitewise.bench.graph.bucket_nodes)
    assert all(sum(c.span for c in row) == buckets for _, row in report.bits_map.rows)
    assert [nodes for _, nodes in report.bits_map.columns] == list(
        sitewise.bench.graph.bucket_nodes
    )


def test_a_study_in_which_every_trial_failed_has_a_report(
    progress: StudyProgress, tmp_path: Path
) -> None:
    params = progress.records[0].params
    failed = replace(record(progress, 9, 0, 0.5), measurement=None, failure=_HOSTILE, num_bytes=0)
    empty = StudyProgress(progress.study_name, progress.bench, progress.start)
    empty.add([replace(failed, params=params)])
    save_report(empty, summary(empty), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "1 failed: &lt;img src=x" in page
    assert "<img" not in page


def test_a_model_without_an_artifact_says_why(progress: StudyProgress, tmp_path: Path) -> None:
    save_report(progress, confirmed_summary(progress), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "There is no packed model: not packed." in page
    assert "Pack another trial" not in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def page(
    browser: Any, synthetic: PreparedData, tmp_path_factory: pytest.TempPathFactory
) -> StudyProgress:
    """The study whose report the browser shows; its names are code."""
    folder = tmp_path_factory.mktemp("report")
    progress = made_progress(synthetic, folder, _HOSTILE, Granularity.LWQ_CWQ_TAQ)
    failed = replace(record(progress, 9, 0, 0.5), measurement=None, failure=_HOSTILE, num_bytes=0)
    progress.add([failed])
    hostile = {"tolerance": 0.4, "confidence": 0.9}
    hostile |= {"model": _HOSTILE, "dataset": _HOSTILE, "command": f"search {_HOSTILE}"}
    save_report(progress, {**confirmed_summary(progress), **hostile}, folder / "report.html")
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", permissions)
    requested(browser)
    browser.get((folder / "report.html").as_uri())
    return progress


def _elements(browser: Any, selector: str) -> list[Any]:
    return list(browser.find_elements("css selector", selector))


def test_the_front_and_the_bits_are_drawn(browser: Any, page: StudyProgress) -> None:
    resize(browser, 1280)
    marks = _elements(browser, "figure .plot .mark")
    # Three trials, all on the front, one of them recommended; of each confirmed point its
    # estimate, its bound and its drop on test nodes, and one is recommended.
    assert len(marks) == 3 + 3 + 1 + 3 * 3 + 1
    assert all(mark.size["width"] >= 5 for mark in marks)
    places = {mark.location["x"] for mark in _elements(browser, ".plot .mark.front")}
    assert len(places) == 3
    shown = [int(cell.text) for cell in _elements(browser, "#heat td[data-site]")]
    assert shown == [page.bench.space.ladder[page.front[-1].params["conv1.weight"]]] * len(shown)
    assert len(shown) == len(page.bench.space.searched)
    colors = {c.value_of_css_property("background-color") for c in _elements(browser, "#heat td")}
    assert len(colors) > 1


def test_hovering_shows_bits_and_accuracy(browser: Any, page: StudyProgress) -> None:
    chains = pytest.importorskip("selenium.webdriver").ActionChains
    chains(browser).move_to_element(_elements(browser, ".plot .mark.confirmed")[0]).perform()
    (tip,) = _elements(browser, "#tip")
    point = page.front[0]
    assert tip.is_displayed()
    assert f"trial {point.number}" in tip.text
    assert "71.0 % ± 1.0 test" in tip.text
    bits = page.allocation(point).by_name()["conv1.weight"]
    assert f"conv1.weight: {bits}" in tip.text


def test_a_click_copies_the_command_and_shows_the_bits(browser: Any, page: StudyProgress) -> None:
    chains = pytest.importorskip("selenium.webdriver").ActionChains
    point = page.front[0]
    chains(browser).move_to_element(
        _elements(browser, ".plot .mark.confirmed")[0]
    ).click().perform()
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    root = page.bench.settings.output_root
    assert copied == (
        f"python -m sgq_auto.export study={page.study_name} output_root={root} trial={point.number}"
    )
    (toast,) = _elements(browser, "#toast.shown")
    wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait
    wait(browser, 10).until(lambda _: copied in toast.text)  # It fades in.
    assert _elements(browser, "#shown")[0].text == str(point.number)
    width = page.bench.space.ladder[point.params["conv1.weight"]]
    assert {int(cell.text) for cell in _elements(browser, "#heat td[data-site]")} == {width}


@pytest.mark.usefixtures("page")
def test_names_that_are_code_do_nothing(browser: Any) -> None:
    assert _HOSTILE in _elements(browser, ".answer")[0].text
    assert not browser.execute_script("return window.hacked")
    assert not _elements(browser, "img")
    assert browser.get_log("browser") == []


@pytest.mark.usefixtures("page")
def test_nothing_is_loaded(browser: Any) -> None:
    browser.refresh()
    assert {address.partition(":")[0] for address in requested(browser)} <= {"file", "data"}
    entries = browser.execute_script("return performance.getEntriesByType('resource').length")
    assert entries == 0


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("width", [360, 700, 1280])
def test_it_fits_its_screen(width: int, browser: Any) -> None:
    resize(browser, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for figure in _elements(browser, "figure, table, .facts, .command, .chart-label span"):
        assert figure.rect["x"] >= 0
        assert figure.rect["x"] + figure.rect["width"] <= width


def test_the_data_in_the_page_is_json(browser: Any, page: StudyProgress) -> None:
    text = browser.execute_script("return document.getElementById('bits').textContent")
    trials = json.loads(text)["trials"]
    assert set(trials) == {str(r.number) for r in page.records if r.complete}
