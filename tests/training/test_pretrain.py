"""Pre-trained weights: trained once, read after that, trained again where the cache is damaged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sgq_auto.graphs import PreparedData
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.quantize import prepare
from sgq_auto.training import FitSettings, Pretrained, evaluate, pretrain

_SETTINGS = FitSettings(epochs=8, learning_rate=0.02, weight_decay=5e-4)


@pytest.fixture
def train(synthetic: PreparedData, tmp_path: Path) -> Callable[..., Pretrained]:
    """Pre-trains a GCN on the synthetic graph with a cache of its own."""

    def run(
        *, seed: int = 0, config: str = "gcn", settings: FitSettings = _SETTINGS, hidden: int = 16
    ) -> Pretrained:
        return pretrain(
            lambda: GCN(80, 4, hidden=hidden),
            synthetic.graph,
            settings,
            seed,
            model_config=config,
            cache=tmp_path / "cache",
        )

    return run


def _files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").iterdir())


def _same_weights(first: nn.Module, second: nn.Module) -> bool:
    other = second.state_dict()
    return all(torch.equal(tensor, other[name]) for name, tensor in first.state_dict().items())


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_weights_are_those_of_the_accuracy(
    kind: type[nn.Module], synthetic: PreparedData, tmp_path: Path
) -> None:
    graph = synthetic.graph
    for _ in range(2):
        pretrained = pretrain(
            lambda: kind(80, 4), graph, _SETTINGS, 0, model_config=kind.__name__, cache=tmp_path
        )
        prepared = prepare(pretrained.model, graph)
        assert evaluate(prepared, graph)[0] == pretrained.val_accuracy
        torch.manual_seed(0)
        assert not _same_weights(pretrained.model, kind(80, 4))


def test_the_second_call_reads_the_file(train: Callable[..., Pretrained], tmp_path: Path) -> None:
    first = train()
    (path,) = _files(tmp_path)
    written = path.stat().st_mtime_ns
    second = train()
    assert _same_weights(first.model, second.model)
    assert second.val_accuracy == first.val_accuracy
    assert path.stat().st_mtime_ns == written
    # What the file says is what comes back, so it was not trained again.
    save_file(load_file(path), path, {"val_accuracy": "0.125"})
    assert train().val_accuracy == 0.125


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _drop_a_tensor(path: Path) -> None:
    tensors = {name: torch.zeros_like(t) for name, t in load_file(path).items()}
    tensors.popitem()
    save_file(tensors, path, {"val_accuracy": "0.5"})


def _reshape(path: Path) -> None:
    tensors = {name: torch.zeros(2, 2) for name in load_file(path)}
    save_file(tensors, path, {"val_accuracy": "0.5"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"garbage" * 100),
        _truncate,
        _drop_a_tensor,
        _reshape,
        lambda path: save_file(load_file(path), path, {"val_accuracy": "much"}),
        lambda path: save_file(load_file(path), path, {"other": "1"}),
        lambda path: save_file(load_file(path), path),
    ],
    ids=[
        "empty",
        "garbage",
        "truncated",
        "missing_tensor",
        "wrong_shapes",
        "no_number",
        "no_accuracy",
        "no_metadata",
    ],
)
def test_damaged_files_are_trained_again(
    damage: Callable[[Path], None], train: Callable[..., Pretrained], tmp_path: Path
) -> None:
    first = train()
    (path,) = _files(tmp_path)
    good = path.read_bytes()
    damage(path)
    second = train()
    assert _same_weights(first.model, second.model)
    assert second.val_accuracy == first.val_accuracy
    assert path.read_bytes() == good
    assert _files(tmp_path) == [path]


def test_everything_that_matters_has_a_file_of_its_own(
    train: Callable[..., Pretrained], tmp_path: Path
) -> None:
    first = train()
    others = [
        train(seed=1),
        train(config="gcn, hidden 8", hidden=8),
        train(settings=replace(_SETTINGS, epochs=9)),
        train(settings=replace(_SETTINGS, learning_rate=0.01)),
        train(settings=replace(_SETTINGS, weight_decay=0.0)),
    ]
    assert len(_files(tmp_path)) == 1 + len(others)
    assert not any(
        _same_weights(first.model, other.model)
        for other in others
        if other.model.conv1.out_channels == 16
    )


def test_another_graph_has_a_file_of_its_own(
    train: Callable[..., Pretrained], synthetic: PreparedData, tmp_path: Path
) -> None:
    train()
    graph = synthetic.graph
    labels = graph.train.labels.roll(1)
    other = replace(graph, train=replace(graph.train, labels=labels))
    pretrain(lambda: GCN(80, 4), other, _SETTINGS, 0, model_config="gcn", cache=tmp_path / "cache")
    assert len(_files(tmp_path)) == 2
