"""Where graphs come from: embedded, synthetic, NumPy archives and PyG's raw files."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.sources import NpzSource, PygSource, SyntheticSource, synthetic

# ---------------------------------------------------------------- embedded


def test_embedded_cora_has_its_known_counts(cora_raw: RawGraph) -> None:
    cora_raw.check()
    assert cora_raw.x.shape == (2708, 1433)
    assert cora_raw.x.nnz == 49_216
    assert cora_raw.num_classes == 7
    assert np.bincount(cora_raw.y).sum() == 2708
    edges = {tuple(edge) for edge in cora_raw.edge_index.T.tolist()}
    assert len(edges) == 10_556
    assert all((target, source) in edges for source, target in edges)


def test_embedded_cora_is_the_planetoid_graph(
    cora_raw: RawGraph, real_raw: Callable[[str], RawGraph]
) -> None:
    planetoid = real_raw("Cora")

    def profile(raw: RawGraph) -> tuple[list[int], list[int]]:
        targets = np.unique(raw.edge_index, axis=1)[1]
        degrees = np.bincount(targets, minlength=raw.num_nodes)
        return sorted(degrees.tolist()), sorted(np.bincount(raw.y).tolist())

    assert profile(cora_raw) == profile(planetoid)


def test_embedded_cora_names_its_subjects(cora_raw: RawGraph) -> None:
    assert cora_raw.class_names is not None
    papers = dict(zip(cora_raw.class_names, np.bincount(cora_raw.y).tolist(), strict=True))
    # What is known of Cora; no two are alike, so each name is at its place.
    assert papers == {
        "Case_Based": 298,
        "Genetic_Algorithms": 418,
        "Neural_Networks": 818,
        "Probabilistic_Methods": 426,
        "Reinforcement_Learning": 217,
        "Rule_Learning": 180,
        "Theory": 351,
    }


def test_embedded_cora_edges_join_alike_papers(cora_raw: RawGraph) -> None:
    source, target = cora_raw.edge_index
    assert np.mean(cora_raw.y[source] == cora_raw.y[target]) > 0.8


# ---------------------------------------------------------------- synthetic


def test_the_same_arguments_draw_the_same_graph() -> None:
    first, again, other = (SyntheticSource(200, 500, 40, 4, seed=s).load() for s in (3, 3, 4))
    np.testing.assert_array_equal(first.edge_index, again.edge_index)
    np.testing.assert_array_equal(first.y, again.y)
    assert (first.x != again.x).nnz == 0
    assert first.edge_index.shape != other.edge_index.shape or not np.array_equal(
        first.edge_index, other.edge_index
    )


def test_edges_stay_inside_communities_as_often_as_asked() -> None:
    for homophily, low, high in ((0.9, 0.85, 0.95), (0.0, 0.1, 0.3)):
        raw = SyntheticSource(2000, 8000, 50, 5, homophily=homophily).load()
        source, target = raw.edge_index
        assert low < np.mean(raw.y[source] == raw.y[target]) < high


def test_degrees_have_a_heavy_tail() -> None:
    raw = SyntheticSource(4000, 16_000, 50, 5).load()
    degrees = np.sort(np.bincount(raw.edge_index[1], minlength=4000))
    # A Poisson degree of mean 8 would stay below 30 and give the top 1 % of nodes 2 % of the edges.
    assert degrees[-1] > 80
    assert degrees[-40:].sum() > 0.06 * degrees.sum()


def test_features_follow_the_classes() -> None:
    raw = SyntheticSource(600, 1000, 100, 4, words_per_node=None, feature_signal=0.5).load()
    centres = np.stack([raw.x[raw.y == c].mean(0) for c in range(4)])
    nearest = ((raw.x[:, None] - centres) ** 2).sum(2).argmin(1)
    assert np.mean(nearest == raw.y) > 0.9


def test_bags_of_words_are_binary_and_sparse() -> None:
    raw = SyntheticSource(300, 600, 200, 4, words_per_node=9).load()
    assert scipy.sparse.issparse(raw.x)
    assert set(np.unique(raw.x.data).tolist()) == {1}
    assert 1 <= raw.x.getnnz(axis=1).min() <= raw.x.getnnz(axis=1).max() <= 9


def test_synthetic_graphs_are_sound_and_undirected() -> None:
    raw = SyntheticSource(50, 200, 12, 12, seed=9).load()
    raw.check()
    assert set(raw.y.tolist()) == set(range(12))
    source, target = raw.edge_index
    assert (source != target).all()
    assert {*zip(source, target, strict=True)} == {*zip(target, source, strict=True)}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"num_nodes": 0}, "num_nodes=0"),
        ({"num_edges": 0}, "num_edges=0"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"num_classes": 9, "num_features": 8}, "num_classes=9"),
        ({"homophily": 1.5}, "homophily"),
        ({"feature_signal": -0.1}, "feature_signal"),
        ({"exponent": 2.0}, "exponent"),
    ],
)
def test_impossible_synthetic_graphs_are_refused(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=rf"^dataset\.source[^\n]*{named}[^\n]*$"):
        SyntheticSource(**arguments)


@pytest.mark.parametrize("words", [5, None])
def test_large_synthetic_graphs_are_kept(
    words: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "_CACHED_EDGES", 100)
    arguments = {"num_nodes": 80, "num_edges": 200, "num_features": 20, "words_per_node": words}
    plain = SyntheticSource(**arguments).load()
    source = SyntheticSource(**arguments, cache=str(tmp_path))
    source.load()
    (path,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(SyntheticSource, "_draw", None)  # Only the cache can answer.
        kept = source.load()
    for graph in (kept, SyntheticSource(**arguments, cache=str(tmp_path)).load()):
        assert (graph.edge_index == plain.edge_index).all()
        assert (graph.y == plain.y).all()
        difference = graph.x != plain.x
        assert (difference.nnz if scipy.sparse.issparse(difference) else difference.sum()) == 0
    SyntheticSource(**arguments, seed=1, cache=str(tmp_path)).load()
    assert len(list(tmp_path.iterdir())) == 2
    path.write_bytes(b"damaged")
    assert (source.load().edge_index == plain.edge_index).all()


def test_a_cache_that_cannot_be_written_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "_CACHED_EDGES", 100)
    (tmp_path / "file").write_text("")
    SyntheticSource(80, 200, 20, cache=str(tmp_path / "file" / "below")).load().check()


def test_graphs_drawn_in_chunks_are_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_CHUNK", 64)
    raw = SyntheticSource(200, 1000, 40, seed=3).load()
    raw.check()
    source, target = raw.edge_index
    assert source.size > 1800
    assert {*zip(source, target, strict=True)} == {*zip(target, source, strict=True)}


# ---------------------------------------------------------------- npz

_X = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [0.0, 0.0, 4.0]])
_MASKS = dict(zip(("train_mask", "val_mask", "test_mask"), np.eye(3, dtype=bool), strict=True))
_ARRAYS: dict[str, Any] = {
    "x": _X,
    "edge_index": np.array([[0, 1], [1, 2]], dtype=np.int32),
    "y": np.array([0, 1, 0], dtype=np.uint8),
}
_CSR = scipy.sparse.csr_matrix(_X)
_CSR_PARTS = {
    "x_data": _CSR.data,
    "x_indices": _CSR.indices,
    "x_indptr": _CSR.indptr,
    "x_shape": np.array(_CSR.shape),
}


def _npz(folder: Path, **arrays: Any) -> NpzSource:
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return NpzSource(str(path))


def test_npz_with_dense_features(tmp_path: Path) -> None:
    raw = _npz(tmp_path, **_ARRAYS).load()
    raw.check()
    assert raw.name == "mine"
    np.testing.assert_array_equal(raw.x, _X)
    assert (raw.x.dtype, raw.y.dtype, raw.edge_index.dtype) == (np.float32, np.int64, np.int64)
    assert raw.split is None
    assert raw.class_names is None


def test_npz_with_class_names(tmp_path: Path) -> None:
    raw = _npz(tmp_path, **_ARRAYS, class_names=np.array(["cat", "Hündin"])).load()
    raw.check()
    assert raw.class_names == ("cat", "Hündin")


def test_npz_with_sparse_features_and_masks(tmp_path: Path) -> None:
    arrays = {k: v for k, v in _ARRAYS.items() if k != "x"}
    raw = _npz(tmp_path, **arrays, **_CSR_PARTS, **_MASKS).load()
    raw.check()
    np.testing.assert_array_equal(raw.x.toarray(), _X)
    assert raw.split is not None
    assert [raw.split.train.tolist(), raw.split.val.tolist(), raw.split.test.tolist()] == [
        [0],
        [1],
        [2],
    ]


def _without(*names: str) -> dict[str, Any]:
    return {k: v for k, v in (_ARRAYS | _MASKS).items() if k not in names}


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        (_without("x"), "x_data"),
        (_without("y"), "y"),
        (_without("edge_index"), "edge_index"),
        (_without() | {"x": np.array([["a", "b"]])}, "x"),
        (_without() | {"y": np.array(["a", "b", "a"])}, "y has dtype <U1"),
        (_without() | {"edge_index": np.array([[0.5], [1.0]])}, "edge_index"),
        (_without() | {"test_mask": np.array([0, 0, 2])}, "test_mask"),
        (_without() | {"test_mask": np.array([True])}, "test_mask"),
        (_without() | {"x": np.array([{"a": 1}], dtype=object)}, "mine.npz"),
        (_without("x") | _CSR_PARTS | {"x_indices": np.array([0, 2, 1, 9])}, "x_"),
        (_without("x") | _CSR_PARTS | {"x_indptr": np.array([0, 1])}, "x_"),
        (_without("x") | _CSR_PARTS | {"x_shape": np.array(3)}, "x_"),
        (_without() | {"class_names": np.array([0, 1])}, "class_names"),
        (_without() | {"class_names": np.array("ab")}, "class_names"),
        (_without() | {"class_names": np.array(["a", "b"], dtype=object)}, "plain arrays"),
        (_without("x") | _CSR_PARTS | {"x_data": np.array(["a"] * 4)}, "x_data"),
    ],
)
def test_bad_archives_are_refused_in_one_line(
    arrays: dict[str, Any], named: str, tmp_path: Path
) -> None:
    source = _npz(tmp_path, **arrays)
    with pytest.raises(InputError, match=r"^[^\n]*mine\.npz[^\n]*$") as caught:
        source.load()
    assert named in str(caught.value)


def test_features_without_dimensions_are_refused(tmp_path: Path) -> None:
    source = _npz(tmp_path, **(_ARRAYS | {"x": np.float32(3.0)}))
    with pytest.raises(InputError, match=r"^[^\n]*x has shape[^\n]*$"):
        source.load().check()


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return os.mkdir, (str(marker),)

    source = _npz(tmp_path, **(_ARRAYS | {"x": np.array([Trap()], dtype=object)}))
    with pytest.raises(InputError, match="plain arrays"):
        source.load()
    assert not marker.exists()


def test_files_that_are_no_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    for content in (b"", b"not an archive", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"^[^\n]*mine\.npz: not a NumPy archive[^\n]*$"):
            NpzSource(str(path)).load()


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with path.open("wb") as file:
        np.save(file, _X)
    with pytest.raises(InputError, match=r"^[^\n]*mine\.npz[^\n]*$"):
        NpzSource(str(path)).load()


@pytest.mark.parametrize("position", [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("filling", [b"\x00", b"\xff"])
def test_damaged_archives_are_refused(position: float, filling: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    x = np.random.default_rng(0).integers(0, 9, (3, 4000))
    np.savez_compressed(path, **(_ARRAYS | {"x": x}))
    content = bytearray(path.read_bytes())
    middle = int(position * len(content))
    content[middle : middle + 64] = filling * 64
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]*mine\.npz[^\n]*$"):
        NpzSource(str(path)).load()


def test_missing_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*there is no file [^\n]*none\.npz$"):
        NpzSource(str(tmp_path / "none.npz")).load()
    for nothing in (None, ""):
        with pytest.raises(InputError, match=r"^[^\n]*dataset\.source\.path=[^\n]*$"):
            NpzSource(nothing)


# ---------------------------------------------------------------- PyG

_PARTS = (
    "ind.cora.{x, tx, allx, y, ty, ally, graph, test.index}",
    "amazon_electronics_photo.npz",
    "ms_academic_cs.npz",
    "reddit_data.npz and reddit_graph.npz",
)
_DATASETS = (
    ("Planetoid", "Cora"),
    ("Amazon", "Photo"),
    ("Coauthor", "CS"),
    ("Reddit", "Reddit"),
)


def _gnn_benchmark(path: Path) -> None:
    """A file of the layout of Amazon and Coauthor: 4 nodes, 3 edges, one self-loop."""
    path.parent.mkdir(parents=True)
    x = scipy.sparse.csr_matrix(np.array([[2, 0, 0], [0, 1, 5], [0, 0, 1], [1, 0, 0]], float))
    ends = ([0, 1, 2, 2], [1, 2, 3, 2])
    adjacency = scipy.sparse.csr_matrix((np.ones(4), ends), shape=(4, 4))
    np.savez(
        path,
        attr_data=x.data,
        attr_indices=x.indices,
        attr_indptr=x.indptr,
        attr_shape=x.shape,
        adj_data=adjacency.data,
        adj_indices=adjacency.indices,
        adj_indptr=adjacency.indptr,
        adj_shape=adjacency.shape,
        labels=np.array([0, 1, 1, 0]),
    )


@pytest.mark.parametrize(
    ("family", "name", "file"),
    [
        ("Amazon", "Photo", "amazon_electronics_photo.npz"),
        ("Coauthor", "CS", "ms_academic_cs.npz"),
    ],
)
def test_gnn_benchmark_files(family: str, name: str, file: str, tmp_path: Path) -> None:
    _gnn_benchmark(tmp_path / family / name / "raw" / file)
    raw = PygSource(family, name, str(tmp_path)).load()
    raw.check()
    assert raw.name == name
    np.testing.assert_array_equal(raw.x, [[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 0]])
    edges = {tuple(edge) for edge in raw.edge_index.T.tolist()}
    assert edges == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    assert raw.y.tolist() == [0, 1, 1, 0]
    assert raw.split is None


def test_reddit_files(tmp_path: Path) -> None:
    folder = tmp_path / "Reddit" / "raw"
    folder.mkdir(parents=True)
    np.savez(
        folder / "reddit_data.npz",
        feature=np.arange(8.0).reshape(4, 2),
        label=np.array([1, 0, 1, 0]),
        node_types=np.array([1, 1, 2, 3]),
    )
    adjacency = scipy.sparse.coo_matrix((np.ones(2), ([0, 1], [1, 3])), shape=(4, 4))
    scipy.sparse.save_npz(folder / "reddit_graph.npz", adjacency)
    raw = PygSource("Reddit", "Reddit", str(tmp_path)).load()
    raw.check()
    np.testing.assert_array_equal(raw.x, np.arange(8.0).reshape(4, 2))
    np.testing.assert_array_equal(raw.edge_index, [[0, 1], [1, 3]])
    assert raw.split is not None
    assert [raw.split.train.tolist(), raw.split.val.tolist(), raw.split.test.tolist()] == [
        [0, 1],
        [2],
        [3],
    ]


def test_nothing_is_written_beside_raw_files(tmp_path: Path) -> None:
    raw_folder = tmp_path / "Amazon" / "Photo" / "raw"
    _gnn_benchmark(raw_folder / "amazon_electronics_photo.npz")
    folders = [tmp_path, *(p for p in tmp_path.rglob("*") if p.is_dir())]
    before = sorted(tmp_path.rglob("*"))
    for folder in folders:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        first = PygSource("Amazon", "Photo", str(tmp_path)).load()
        again = PygSource("Amazon", "Photo", str(tmp_path)).load()
    finally:
        for folder in folders:
            folder.chmod(stat.S_IRWXU)
    np.testing.assert_array_equal(first.edge_index, again.edge_index)
    assert sorted(tmp_path.rglob("*")) == before


def test_changed_raw_files_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "Amazon" / "Photo" / "raw" / "amazon_electronics_photo.npz"
    _gnn_benchmark(path)
    source = PygSource("Amazon", "Photo", str(tmp_path))
    assert source.load().y.tolist() == [0, 1, 1, 0]
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **(arrays | {"labels": np.array([1, 1, 0, 0])}))
    assert source.load().y.tolist() == [1, 1, 0, 0]


def test_real_planetoid_files(real_raw: Callable[[str], RawGraph]) -> None:
    raw = real_raw("CiteSeer")
    raw.check()
    assert raw.x.shape == (3327, 3703)
    assert raw.split is not None
    assert (raw.split.train.size, raw.split.val.size, raw.split.test.size) == (120, 500, 1000)
    touched = np.unique(raw.edge_index)
    assert raw.num_nodes - touched.size == 48


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that nobody listens at: every download fails at once."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(("dataset", "files"), list(zip(_DATASETS, _PARTS, strict=True)))
def test_missing_files_are_named(dataset: tuple[str, str], files: str, tmp_path: Path) -> None:
    source = PygSource(*dataset, str(tmp_path))
    with pytest.raises(InputError) as caught:
        source.load()
    message = str(caught.value)
    assert "\n" not in message
    assert files in message
    assert str(source.raw_folder) in message
    assert "SGQ_AUTO_DATA" in message
    assert "embedded_cora" in message
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 cut off"])
def test_damaged_files_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "Amazon" / "Photo" / "raw" / "amazon_electronics_photo.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]*cannot be read[^\n]*$") as caught:
        PygSource("Amazon", "Photo", str(tmp_path)).load()
    assert str(path.parent) in str(caught.value)


def test_unknown_families_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Nonsense"):
        PygSource("Nonsense", "Cora", str(tmp_path))
