"""PyG graphs of the user's own, and Python of the user's own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.datasets import FakeDataset

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.sources import PygFileSource, graph_of

_X = torch.tensor([[1.0, 0.0], [0.0, 3.0], [0.0, 4.0]])


def graph(**changes: Any) -> Data:
    fields: dict[str, Any] = {
        "x": _X,
        "edge_index": torch.tensor([[0, 1], [1, 2]]),
        "y": torch.tensor([0, 1, -1]),
    }
    return Data(**fields | changes)


def masks(width: int | None = None) -> dict[str, torch.Tensor]:
    names = ("train_mask", "val_mask", "test_mask")
    rows = torch.eye(3, dtype=torch.bool)
    rows = rows if width is None else rows.unsqueeze(2).expand(-1, -1, width)
    return dict(zip(names, rows, strict=True))


def read(data: object, folder: Path) -> RawGraph:
    torch.save(data, folder / "mine.pt")
    return PygFileSource(str(folder / "mine.pt")).load()


def same(raw: RawGraph) -> None:
    raw.check()
    x: Any = raw.x
    np.testing.assert_array_equal(x if isinstance(x, np.ndarray) else x.toarray(), _X)
    assert (raw.x.dtype, raw.edge_index.dtype, raw.y.dtype) == (np.float32, np.int64, np.int64)
    assert raw.edge_index.tolist() == [[0, 1], [1, 2]]
    assert raw.y.tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    "data",
    [
        graph(),
        graph().to_dict(),
        graph(x=_X.to_sparse_coo()),
        graph(x=_X.to_sparse_csr()),
        graph(y=torch.tensor([[0], [1], [-1]])),
        graph(x=_X.double(), edge_index=torch.tensor([[0, 1], [1, 2]], dtype=torch.int32)),
        graph(x=_X.clone().requires_grad_(), title="mine", edge_attr=None),
    ],
)
def test_saved_graphs_are_read(data: object, tmp_path: Path) -> None:
    same(read(data, tmp_path))


def test_masks_and_class_names_are_read(tmp_path: Path) -> None:
    raw = read(graph(**masks(), class_names=["cat", "dog"]), tmp_path)
    raw.check()
    assert raw.class_names == ("cat", "dog")
    assert raw.split is not None
    assert [raw.split.train.tolist(), raw.split.val.tolist(), raw.split.test.tolist()] == [
        [0],
        [1],
        [2],
    ]


def test_real_graphs_survive_their_file(
    real_raw: Callable[[str], RawGraph], tmp_path: Path
) -> None:
    cora = real_raw("Cora")
    assert cora.split is not None
    fields = {"x": cora.x, "edge_index": cora.edge_index, "y": cora.y}
    data = Data(**{key: torch.from_numpy(value) for key, value in fields.items()})
    for part in ("train", "val", "test"):
        mask = torch.zeros(cora.num_nodes, dtype=torch.bool)
        mask[torch.from_numpy(getattr(cora.split, part))] = True
        data[f"{part}_mask"] = mask
    raw = read(data, tmp_path)
    assert raw.split is not None
    np.testing.assert_array_equal(raw.x, cora.x)
    np.testing.assert_array_equal(raw.edge_index, cora.edge_index)
    np.testing.assert_array_equal(raw.split.test, cora.split.test)


def _hetero() -> HeteroData:
    data = HeteroData()
    data["paper"].x = _X
    data["paper", "cites", "paper"].edge_index = torch.tensor([[0], [1]])
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_hetero(), ["HeteroData", "to_homogeneous"]),
        (graph(edge_attr=torch.ones(2, 3, 1)), ["edge_attr", "data.edge_attr = None"]),
        (graph(edge_weight=torch.ones(2), edge_attr=torch.ones(2)), ["data.edge_attr = None"]),
        (graph(edge_weight=[1, 2]), ["edge_weight is a list", "data.edge_weight = None"]),
        (graph(y=torch.ones(3, 2, 2)), ["float32 (3, 2, 2)", "[N, K]"]),
        (graph(y=None), ["no y", "[N]"]),
        (graph(x=None), ["no x", "T.OneHotDegree"]),
        (graph(edge_index=None), ["no edge_index"]),
        (T.ToSparseTensor()(graph()).to_dict(), ["no edge_index", "adj_t", "T.ToSparseTensor"]),
        (graph(edge_index=torch.rand(2, 2)), ["edge_index", "integer"]),
        (graph(**masks() | {"val_mask": torch.ones(3)}), ["val_mask", "bool (3,)"]),
        (graph(class_names="cats"), ["class_names", "'cats'", "list"]),
        (graph(x=[[1.0]]), ["x is a list, no tensor"]),
        ([graph().to_dict(), None], ["graph 1 is a NoneType"]),
        (_X, ["Tensor", "dataset[0]"]),
    ],
)
def test_what_is_not_supported_is_one_line(data: object, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^mine: [^\n]*$") as caught:
        read(data, tmp_path)
    assert all(word in str(caught.value) for word in words), caught.value


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return os.mkdir, (str(marker),)

    for data in (Trap(), graph(extra=Trap())):
        with pytest.raises(
            InputError, match=r"^[^\n]*mine\.pt: cannot be read \(posix\.mkdir\)[^\n]*$"
        ):
            read(data, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("data", [graph(extra=np.ones(3)), T.ToSparseTensor()(graph())])
def test_what_torch_does_not_read_safely_is_told_with_a_way(data: Data, tmp_path: Path) -> None:
    # PyG notes in a Data which of its tensors are nodes', by a container that torch refuses.
    with pytest.raises(InputError, match=r"cannot be read[^\n]*torch\.save\(data\.to_dict"):
        read(data, tmp_path)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    torch.save(graph(), path)
    whole = path.read_bytes()
    for content in (b"", b"not torch", b"PK\x03\x04 cut off", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"^[^\n]*mine\.pt: cannot be read[^\n]*$"):
            PygFileSource(str(path)).load()
    with pytest.raises(InputError, match=r"there is no file [^\n]*none\.pt$"):
        PygFileSource(str(tmp_path / "none.pt")).load()
    with pytest.raises(InputError, match=r"dataset\.source\.path="):
        PygFileSource(None)


class _Own:
    """What a user's class with ``load()`` may be."""

    def __init__(self, made: object) -> None:
        self.made = made

    def load(self) -> object:
        return self.made


def test_functions_and_classes_of_ones_own() -> None:
    for made in (graph(), graph().to_dict(), _Own(graph()), _Own(graph_of(graph(), "mine"))):
        same(graph_of(made, "mine"))


def test_pyg_datasets_of_one_graph_and_of_several() -> None:
    one = FakeDataset(1, avg_num_nodes=30, num_classes=3, task="node")
    raw = graph_of(one, "fake")
    raw.check()
    assert raw.num_nodes == one[0].num_nodes
    assert graph_of(FakeDataset(2, num_classes=3, task="node"), "fake").num_graphs == 2
    batch = Batch.from_data_list([graph(), graph()])
    assert graph_of(batch, "fake").num_graphs == 2
    with pytest.raises(InputError, match=r"^fake: a int; [^\n]*$"):
        graph_of(3, "fake")
