"""The page of a model predicts in a browser what the packed runtime does, and sends nothing."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case, make_case
from given_models import weighted_case
from pooled_cases import pack

from browsers import requested, running_browser
from joined_graphs import prepared_graphs, random_graphs
from many_graphs import POOLS, PooledNet, drawn
from sgq_auto.errors import InputError
from sgq_auto.packed import PackedModel
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.device.webassembly import webassembly
from sgq_auto.reporting.try_it_page import try_it_page

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if None in map(shutil.which, ("clang", "wasm-ld")):
        pytest.skip("clang and wasm-ld are not installed, which make WebAssembly")
    with running_browser() as started:
        yield started


def _open(browser: Any, model: PackedModel, folder: Path) -> None:
    path = folder / "try.html"
    path.write_text(try_it_page(model), encoding="utf-8")
    requested(browser)
    browser.get(path.as_uri())


def _ask(browser: Any, button: str = "#ask [type=submit]") -> str:
    browser.find_element("css selector", button).click()
    return str(browser.find_element("id", "said").text)


def _shares(browser: Any) -> np.ndarray:
    """Per cent by row and class, as they are shown."""
    rows = browser.find_elements("css selector", "#answers tbody tr")
    cells = [[cell.text for cell in row.find_elements("css selector", "td")[1:]] for row in rows]
    return np.array([[float(cell.split()[0]) for cell in row] for row in cells])


def _expected(model: PackedModel, **given: np.ndarray) -> np.ndarray:
    logits = replace(model, engine=NumpyEngine()).predict(**given).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return 100 * shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["gcn", pytest.param("gat_options", marks=pytest.mark.slow)])
def test_nodes_are_predicted_one_by_one_and_all(
    kind: str, browser: Any, small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    model = small_case(kind).packed
    expected = _expected(model)
    _open(browser, model, tmp_path)
    field = browser.find_element("id", "node")
    field.clear()
    field.send_keys("7")
    assert _ask(browser).startswith("1 predicted in ")
    np.testing.assert_allclose(_shares(browser), expected[[7]], atol=0.06)
    assert _ask(browser, "#all").startswith("300 predicted in ")
    np.testing.assert_allclose(_shares(browser), expected[:100], atol=0.06)
    asked = [address for address in requested(browser) if not address.startswith("chrome")]
    assert all(address.startswith(("file:", "data:")) for address in asked)


def test_a_graph_that_is_given_is_predicted_and_a_bad_one_is_a_line(
    browser: Any, tmp_path: Path
) -> None:
    raws = random_graphs(6, seed=3, nodes=(4, 12), sparse=False)
    model = make_case(prepared_graphs(raws), "sage", [2, 4, 8]).packed
    _open(browser, model, tmp_path)
    assert _ask(browser).startswith("3 predicted in ")
    own = raws[0]
    given = {"x": own.x, "edge_index": own.edge_index}
    _enter(browser, {name: array.tolist() for name, array in given.items()})
    assert _ask(browser).startswith(f"{own.num_nodes} predicted in ")
    np.testing.assert_allclose(_shares(browser), _expected(model, **given), atol=0.06)
    for bad, message in (
        ({"x": own.x.tolist(), "edge_index": [[0], [99]]}, "an edge names a node that is not"),
        ({"x": [[1]], "edge_index": [[], []]}, "row 0 of x must be 6 numbers"),
        ({"x": own.x.tolist()}, "edge_index must be two lists"),
        ({"x": own.x.tolist() * 9, "edge_index": [[], []]}, "more nodes or edges than"),
    ):
        _enter(browser, bad)
        assert message in _ask(browser)


def test_whole_graphs_are_predicted(browser: Any, tmp_path: Path) -> None:
    graphs = drawn()
    model = pack(PooledNet("gin", POOLS["sum"], 7), graphs.prepared().graph)[0]
    _open(browser, model, tmp_path)
    own = graphs.only(0)
    _enter(browser, {"x": own.x.tolist(), "edge_index": own.edge_index.tolist()})
    assert _ask(browser).startswith("1 predicted in ")
    expected = _expected(model, x=own.x, edge_index=own.edge_index)
    np.testing.assert_allclose(_shares(browser), expected, atol=0.06)


@pytest.mark.slow
def test_weights_of_edges_go_with_a_graph(browser: Any, tmp_path: Path) -> None:
    model, raws = weighted_case()
    _open(browser, model, tmp_path)
    assert _ask(browser).startswith("3 predicted in ")
    own = raws[0]
    assert own.edge_weight is not None
    given = {"x": own.x.toarray(), "edge_index": own.edge_index, "edge_weight": own.edge_weight}
    _enter(browser, {name: array.tolist() for name, array in given.items()})
    assert _ask(browser).startswith(f"{own.num_nodes} predicted in ")
    np.testing.assert_allclose(_shares(browser), _expected(model, **given), atol=0.06)
    _enter(browser, {name: array.tolist() for name, array in given.items() if name[0] != "e"})
    assert "edge_index must be two lists" in _ask(browser)
    del given["edge_weight"]
    _enter(browser, {name: array.tolist() for name, array in given.items()})
    assert "edge_weight must be" in _ask(browser)


def _enter(browser: Any, given: dict[str, Any]) -> None:
    box = browser.find_element("id", "input")
    browser.execute_script("arguments[0].value = arguments[1]", box, json.dumps(given))


def test_without_a_compiler_it_is_one_line_that_says_what_to_install(
    small_case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"needs clang and wasm-ld, not found here; on Debian"):
        webassembly(small_case("gcn").packed)
