"""Dropout after quantization: ranges see what inference sees, masks drop what PyTorch would."""

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.compute import engine_for
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.models import GAT
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import RangeMode, prepare, trace_spec
from sgq_auto.quantize.forward.deferred_dropout import DropoutAfterQuantization, Dropped
from sgq_auto.quantize.forward.node_features import NodeFeatures, QuantizedFeatures

_ENGINE = engine_for("cpu")


class TwoLinear(nn.Module):
    """Two linear layers with dropout between; the second one shows its input."""

    def __init__(self, in_features: int, p: float) -> None:
        super().__init__()
        self.lin1 = nn.Linear(in_features, 6)
        self.dropout = nn.Dropout(p)
        self.lin2 = nn.Linear(6, 6, bias=False)
        self.lin2.weight.data.copy_(torch.eye(6))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        del edge_index
        out: Tensor = self.lin2(self.dropout(self.lin1(x)))
        return out


def _prepared(graph: Graph, mode: RangeMode, p: float = 0.6) -> nn.Module:
    torch.manual_seed(0)
    model = TwoLinear(graph.features.num_features, p)
    sites = FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec).sites()
    bits = {site: 2 if str(site).startswith("lin2.embedding") else 32 for site in sites}
    return prepare(model, graph, BitAllocation(bits), mode)


@pytest.mark.parametrize("mode", RangeMode)
def test_kept_values_are_scaled_codes(mode: RangeMode, synthetic: PreparedData) -> None:
    graph = synthetic.graph
    prepared = _prepared(graph, mode)
    with torch.no_grad():
        quantized = prepared(graph.features, graph.adj_t)
        prepared.train()
        dropped = prepared(graph.features, graph.adj_t)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], quantized[kept] / 0.4)
    share = float(kept[quantized != 0].float().mean())
    assert abs(share - 0.4) < 0.04


def test_ranges_do_not_see_dropout(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    prepared = _prepared(graph, RangeMode.MINMAX)
    quantizer = prepared.lin2.input_quantizer
    step, offset = quantizer.step.clone(), quantizer.offset.clone()
    prepared.train()
    prepared(graph.features, graph.adj_t)
    assert torch.equal(quantizer.step, step)
    assert torch.equal(quantizer.offset, offset)


def test_gradients_pass_through_the_mask(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    prepared = _prepared(graph, RangeMode.MINMAX).train()
    torch.manual_seed(1)
    out = prepared(graph.features, graph.adj_t)
    out.sum().backward()
    # lin1's bias reaches each output through its mask: 1 / 0.4 where kept and inside the range.
    kept = (out != 0).sum(0)
    gradient = prepared.lin1.bias.grad
    assert gradient is not None
    assert bool((gradient <= kept / 0.4 + 1e-3).all())
    assert float(gradient.sum()) > 0.8 * float(kept.sum()) / 0.4


def _features(graph: Graph) -> NodeFeatures:
    matrix = graph.features.matrix(graph.features.values)
    return NodeFeatures(QuantizedFeatures(matrix, graph.features.shape))


def test_features_are_dropped_by_stored_value(synthetic: PreparedData) -> None:
    features = _features(synthetic.graph)
    with DropoutAfterQuantization(_ENGINE):
        dropped = nn.Dropout(0.25)(features)
    assert isinstance(dropped, Dropped)
    assert dropped.source is features
    ones = torch.ones_like(synthetic.graph.features.values)
    scales = dropped.apply(ones)
    torch.testing.assert_close(scales.unique(), torch.tensor([0.0, 4 / 3]))
    assert abs(float((scales == 0).float().mean()) - 0.25) < 0.03
    assert torch.equal(dropped.apply(ones), scales)
    dense = synthetic.graph.features.dense()
    kept = dropped.relu() != 0
    torch.testing.assert_close(dropped[kept], dense[kept] * 4 / 3)
    assert abs(float(kept.sum() / (dense != 0).sum()) - 0.75) < 0.03


def test_nothing_is_dropped_at_inference_or_at_p_zero() -> None:
    x = torch.randn(3, 2)
    with DropoutAfterQuantization(_ENGINE, 0.3):
        assert nn.Dropout(0.5).eval()(x) is x
        assert nn.functional.dropout(x, 0.5, training=False) is x
        assert nn.functional.dropout(x, 0.0) is x


def test_another_probability_replaces_the_models_own() -> None:
    with DropoutAfterQuantization(_ENGINE, 0.3):
        assert nn.functional.dropout(torch.randn(3, 2), 0.5).p == 0.3


def test_dropping_twice_drops_both_times() -> None:
    x = torch.ones(200, 100)
    with DropoutAfterQuantization(_ENGINE):
        twice = nn.functional.dropout(nn.Dropout(0.5)(x), 0.5)
    assert isinstance(twice, Dropped)
    assert set(twice.tensor.unique().tolist()) == {0.0, 4.0}
    assert abs(float((twice.tensor == 4).float().mean()) - 0.25) < 0.02


def test_values_that_the_engine_does_not_know_are_dropped_at_once() -> None:
    with DropoutAfterQuantization(_ENGINE):
        dropped = nn.functional.dropout(torch.ones(50, 50, dtype=torch.float64), 0.5)
    assert not isinstance(dropped, Dropped)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_torch_functions_and_methods_see_the_dropped_tensor() -> None:
    dropped = Dropped(torch.randn(20, 4), 0.5, _ENGINE)
    expected = dropped.tensor
    other = torch.randn(20, 4)
    assert 0 < int((expected == 0).sum()) < 80
    torch.testing.assert_close(torch.relu(dropped), expected.relu())
    torch.testing.assert_close(dropped.relu(), expected.relu())
    torch.testing.assert_close(dropped.size(1), 4)
    torch.testing.assert_close(other + dropped, other + expected)
    torch.testing.assert_close(dropped + other, expected + other)
    torch.testing.assert_close(nn.Linear(4, 4).eval()(dropped).shape, (20, 4))


def test_functions_of_several_tensors_see_the_dropped_tensor() -> None:
    dropped = Dropped(torch.randn(20, 4), 0.5, _ENGINE)
    other = torch.randn(20, 4)
    joined = torch.cat([dropped, other], dim=1)
    torch.testing.assert_close(joined, torch.cat([dropped.tensor, other], dim=1))


def test_operators_see_the_dropped_tensor() -> None:
    dropped = Dropped(torch.randn(20, 4), 0.5, _ENGINE)
    torch.testing.assert_close(dropped * 2, dropped.tensor * 2)
    torch.testing.assert_close(dropped @ torch.eye(4), dropped.tensor)
    torch.testing.assert_close(dropped[3], dropped.tensor[3])


def test_attention_is_dropped_after_it_is_quantized(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    torch.manual_seed(0)
    model = GAT(graph.features.num_features, graph.num_classes)
    sites = FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec).sites()
    prepared = prepare(model, graph, BitAllocation.uniform(sites, 4), RangeMode.MINMAX).train()
    seen: list[Tensor] = []
    prepared.conv1.attention_quantizer.register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0])
    )
    with torch.no_grad():
        prepared(graph.features, graph.adj_t)
    (attention,) = seen
    assert float(attention.min()) > 0
    sums = graph.adj_t.row_sum(attention[:, 0].contiguous())
    torch.testing.assert_close(sums, torch.ones_like(sums))
