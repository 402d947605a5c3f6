"""The peer: the same search as an engineer would first write it.

PyG's own convolutions on ``edge_index``, dense features, a fake-quantizer of a few tensor
operations whose gradients autograd works out, Optuna's study in memory and MLflow's fluent API.
Model, bits, epochs, loss, dropout, sampler, seeds and first ranges are those of the search that
it is compared with. What is cheap to do once is done once: features and GCN's adjacency are
quantized and normalised before the first epoch.
"""

import copy
import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import mlflow
import optuna
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch_geometric.nn import AGNNConv, GATConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import softmax

from residual_gcn import ResidualGCN
from sgq_auto.graphs import Graph
from sgq_auto.models import AGNN, GAT, GCN
from sgq_auto.packed.allocation import FEATURES, BitAllocation, Component, Site
from sgq_auto.quantize.quantizers.ranges import least_error_range, representatives, step_size
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.training import FitSettings


class FakeQuantize(nn.Module):
    """Affine codes with a learned step and offset for each group of rows (LSQ+)."""

    def __init__(self, bits: Sequence[int], group: Tensor) -> None:
        super().__init__()
        self.levels = torch.tensor([2.0**b - 1 for b in bits])
        self.group = group
        self.log_step = nn.Parameter(torch.zeros(len(bits)))
        self.shift = nn.Parameter(torch.zeros(len(bits)))
        self.first_step: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.first_step is None:
            self.calibrate(x.detach())
        shape = [-1] + [1] * (x.dim() - 1)
        step = (self.first_step * self.log_step.exp())[self.group].view(shape)
        offset = (self.first_offset + self.first_step * self.shift)[self.group].view(shape)
        levels = self.levels[self.group].view(shape)
        codes = torch.clamp((x - offset) / step, torch.zeros(()), levels)
        codes = codes + (codes.round() - codes).detach()  # Straight-through.
        return codes * step + offset

    def calibrate(self, x: Tensor) -> None:
        steps, offsets = [], []
        for g, levels in enumerate(self.levels.split(1)):
            values = x[self.group == g] if bool((self.group == g).any()) else x.new_zeros(1)
            low, high = least_error_range(representatives(values).view(1, -1), levels)
            steps.append(step_size(low, high, levels))
            offsets.append(low)
        self.first_step, self.first_offset = torch.cat(steps), torch.cat(offsets)


@dataclass
class Quantizers:
    """Makes the fake-quantizers of an allocation; degree buckets are their groups."""

    graph: Graph
    allocation: BitAllocation

    def __post_init__(self) -> None:
        counts = torch.tensor(self.graph.bucket_nodes)
        self.node_bucket = torch.arange(counts.numel()).repeat_interleave(counts)

    def embedding(self, layer: str) -> FakeQuantize:
        return FakeQuantize(self._bits(layer, Component.EMBEDDING), self.node_bucket)

    def attention(self, layer: str, target: Tensor) -> FakeQuantize:
        return FakeQuantize(self._bits(layer, Component.ATTENTION), self.node_bucket[target])

    def weight(self, layer: str, linear: nn.Module) -> None:
        rows = torch.arange(linear.weight.size(0))
        bits = self.allocation[Site(layer, Component.WEIGHT)]
        quantizer = FakeQuantize([bits] * rows.numel(), rows)
        parametrize.register_parametrization(linear, "weight", quantizer)

    def features(self) -> Tensor:
        """The quantized node features as a dense matrix, rows normalised where the graph says."""
        stored = self.graph.features
        counts = torch.tensor(stored.bucket_values)
        group = torch.arange(counts.numel()).repeat_interleave(counts)
        quantize = FakeQuantize(self._bits(FEATURES, Component.EMBEDDING), group)
        return dataclasses.replace(stored, values=quantize(stored.values).detach()).dense()

    def _bits(self, layer: str, component: Component) -> list[int]:
        buckets = range(len(self.graph.bucket_nodes))
        return [self.allocation[Site(layer, component, b)] for b in buckets]


class PlainGCN(nn.Module):
    """GCN on ``edge_index``."""

    def __init__(self, model: GCN, graph: Graph, make: Quantizers) -> None:
        super().__init__()
        self.conv1, self.conv2, self.p = model.conv1, model.conv2, model.dropout1.p
        self.x = make.features()
        self.edge_index, coefficients = gcn_norm(graph.edge_index(), None, graph.num_nodes)
        self.input2 = make.embedding("conv2")
        self.coefficients = []
        for name, conv in (("conv1", self.conv1), ("conv2", self.conv2)):
            attention = make.attention(name, self.edge_index[1])
            self.coefficients.append(attention(coefficients).detach())
            conv.normalize = False
            make.weight(name, conv.lin)
            conv.lin = nn.Sequential(conv.lin, make.embedding(name))

    def forward(self) -> Tensor:
        x = F.dropout(self.x, self.p, self.training)
        x = self.conv1(x, self.edge_index, self.coefficients[0]).relu()
        x = F.dropout(self.input2(x), self.p, self.training)
        return self.conv2(x, self.edge_index, self.coefficients[1])


class PlainResidualGCN(nn.Module):
    """A GCN with batch norms and a residual, which reads what ``conv2`` has quantized."""

    def __init__(self, model: ResidualGCN, graph: Graph, make: Quantizers) -> None:
        super().__init__()
        self.inner, self.p = model, model.dropout1.p
        self.x = make.features()
        self.edge_index, coefficients = gcn_norm(graph.edge_index(), None, graph.num_nodes)
        self.input2, self.input3 = make.embedding("conv2"), make.embedding("conv3")
        self.coefficients = []
        convs = {"conv1": model.conv1, "conv2": model.conv2, "conv3": model.conv3}
        for name, conv in convs.items():
            attention = make.attention(name, self.edge_index[1])
            self.coefficients.append(attention(coefficients).detach())
            conv.normalize = False
            make.weight(name, conv.lin)
            conv.lin = nn.Sequential(conv.lin, make.embedding(name))

    def forward(self) -> Tensor:
        inner, edges, a = self.inner, self.edge_index, self.coefficients
        x = F.dropout(self.x, self.p, self.training)
        kept = self.input2(inner.norm1(inner.conv1(x, edges, a[0])).relu())
        x = F.dropout(kept, self.p, self.training)
        x = inner.norm2(inner.conv2(x, edges, a[1])).relu() + kept
        x = F.dropout(self.input3(x), self.p, self.training)
        return inner.conv3(x, edges, a[2])


class QuantGATConv(GATConv):
    """``GATConv`` whose attention passes a fake-quantizer before its dropout."""

    def edge_update(self, alpha_j, alpha_i, edge_attr, index, ptr, dim_size):
        alpha = F.leaky_relu(alpha_j + alpha_i, self.negative_slope)
        alpha = self.attention_quantizer(softmax(alpha, index, ptr, dim_size))
        return F.dropout(alpha, p=self.dropout, training=self.training)


class PlainGAT(nn.Module):
    """GAT on ``edge_index``."""

    def __init__(self, model: GAT, graph: Graph, make: Quantizers) -> None:
        super().__init__()
        self.conv1, self.conv2, self.p = model.conv1, model.conv2, model.dropout1.p
        self.x = make.features()
        self.edge_index = graph.edge_index()
        self.input2 = make.embedding("conv2")
        # The convolution appends the self-loops.
        target = torch.cat([self.edge_index[1], torch.arange(graph.num_nodes)])
        for name, conv in (("conv1", self.conv1), ("conv2", self.conv2)):
            make.weight(name, conv.lin)
            conv.lin = nn.Sequential(conv.lin, make.embedding(name))
            conv.__class__ = QuantGATConv
            conv.attention_quantizer = make.attention(name, target)

    def forward(self) -> Tensor:
        x = F.dropout(self.x, self.p, self.training)
        x = F.elu(self.conv1(x, self.edge_index))
        x = F.dropout(self.input2(x), self.p, self.training)
        return self.conv2(x, self.edge_index)


class QuantAGNNConv(AGNNConv):
    """``AGNNConv`` whose attention passes a fake-quantizer."""

    def message(self, x_j, x_norm_i, x_norm_j, index, ptr, size_i):
        alpha = self.beta * (x_norm_i * x_norm_j).sum(dim=-1)
        alpha = self.attention_quantizer(softmax(alpha, index, ptr, size_i))
        return x_j * alpha.view(-1, 1)


class PlainAGNN(nn.Module):
    """AGNN on ``edge_index``."""

    def __init__(self, model: AGNN, graph: Graph, make: Quantizers) -> None:
        super().__init__()
        self.lin1, self.lin2, self.p = model.lin1, model.lin2, model.dropout1.p
        self.prop1, self.prop2 = model.prop1, model.prop2
        self.x = make.features()
        self.edge_index = graph.edge_index()
        target = torch.cat([self.edge_index[1], torch.arange(graph.num_nodes)])
        make.weight("lin1", self.lin1)
        make.weight("lin2", self.lin2)
        for name, prop in (("prop1", self.prop1), ("prop2", self.prop2)):
            prop.__class__ = QuantAGNNConv
            prop.attention_quantizer = make.attention(name, target)
        self.inputs = nn.ModuleList(make.embedding(n) for n in ("prop1", "prop2", "lin2"))

    def forward(self) -> Tensor:
        x = self.lin1(F.dropout(self.x, self.p, self.training)).relu()
        x = self.prop1(self.inputs[0](x), self.edge_index)
        x = self.prop2(self.inputs[1](x), self.edge_index)
        return self.lin2(F.dropout(self.inputs[2](x), self.p, self.training))


_PLAIN = {
    GCN: PlainGCN,
    GAT: PlainGAT,
    AGNN: PlainAGNN,
    ResidualGCN: PlainResidualGCN,
}


def prepare_plain(model: nn.Module, graph: Graph, allocation: BitAllocation) -> nn.Module:
    """The peer's quantization-aware model; it takes over ``model``. Calibrated by one pass."""
    plain = _PLAIN[type(model)](model, graph, Quantizers(graph, allocation)).eval()
    with torch.no_grad():
        plain()
    return plain


@dataclass(frozen=True)
class PlainResult:
    """How a fine-tuning run of the peer went."""

    val_accuracy: float
    curve: list[tuple[int, float]]
    seconds: float


def fit_plain(
    model: nn.Module, graph: Graph, settings: FitSettings, seed: int, teacher: Tensor
) -> PlainResult:
    """Fine-tune, distilling from the full-precision model's predictions on all nodes."""
    start = time.perf_counter()
    torch.manual_seed(seed)
    named = list(model.named_parameters())
    ranges = [p for name, p in named if name.endswith(("log_step", "shift"))]
    weights = [p for name, p in named if not name.endswith(("log_step", "shift"))]
    optimizer = torch.optim.Adam(
        [
            {"params": weights, "weight_decay": settings.weight_decay},
            {"params": ranges, "lr": settings.range_learning_rate},
        ],
        lr=settings.learning_rate,
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda epoch: 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
    )
    teacher = (teacher.log() / settings.teacher_temperature).softmax(dim=1)
    curve = []
    for epoch in range(1, settings.epochs + 1):
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(), teacher).backward()
        optimizer.step()
        scheduler.step()
        if epoch % settings.evaluate_every == 0 or epoch == settings.epochs:
            model.eval()
            with torch.no_grad():
                curve.append((epoch, graph.val.accuracy(model())))
    return PlainResult(curve[-1][1], curve, time.perf_counter() - start)


def pretrain_plain(model: nn.Module, graph: Graph, settings: FitSettings, seed: int) -> None:
    """Train a PyG model at full precision and leave it at its best epoch on validation nodes."""
    torch.manual_seed(seed)
    x, edge_index = graph.features.dense(), graph.edge_index()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best, state = (-1.0, 0.0), {}
    for epoch in range(1, settings.epochs + 1):
        model.train()
        optimizer.zero_grad()
        logits = model(x, edge_index)
        F.cross_entropy(logits[graph.train.nodes], graph.train.labels).backward()
        optimizer.step()
        if epoch % settings.evaluate_every == 0 or epoch == settings.epochs:
            model.eval()
            with torch.no_grad():
                logits = model(x, edge_index)
            loss = F.cross_entropy(logits[graph.val.nodes], graph.val.labels)
            reached = (graph.val.accuracy(logits), -float(loss))
            if reached > best:
                best, state = reached, copy.deepcopy(model.state_dict())
    model.load_state_dict(state)
    model.eval()


def search_plain(bench: Workbench, n_trials: int) -> optuna.Study:
    """The peer's search: one process, one trial after the other, tracked as it goes.

    Its MLflow store is the one that ``mlflow.set_tracking_uri`` named.
    """
    settings, graph = bench.settings, bench.graph
    sampler = optuna.samplers.TPESampler(seed=settings.seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for params in bench.space.uniform():
        study.enqueue_trial(params)
    with mlflow.start_run(run_name="search"):
        for _ in range(n_trials):
            trial = study.ask(dict(bench.space.distributions()))
            allocation = bench.space.allocation(trial.params)
            model = prepare_plain(copy.deepcopy(bench.pretrained.model), graph, allocation)
            result = fit_plain(model, graph, settings.finetune, settings.seed, bench.teacher)
            size = bench.footprints.packed(allocation).figure(settings.objective)
            with mlflow.start_run(run_name=f"trial {trial.number}", nested=True):
                mlflow.log_params(trial.params)
                for epoch, accuracy in result.curve:
                    mlflow.log_metric("val_accuracy", accuracy, step=epoch)
                mlflow.log_metric(settings.objective.value, size)
            study.tell(trial, [result.val_accuracy, size])
    return study
