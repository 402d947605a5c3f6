"""The quantized twin of PyG's ``PNAConv``."""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import PNAConv, aggr

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.pna import PnaLayer, Scaler, pna_spec
from sgq_auto.packed.runtime.neighbor_reductions import Reduction
from sgq_auto.quantize.layers.reducing import ReducingLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing, flow_differs, linear
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

_REDUCTIONS: dict[type[nn.Module], Reduction] = {
    aggr.MeanAggregation: Reduction.MEAN,
    aggr.SumAggregation: Reduction.SUM,
    aggr.MaxAggregation: Reduction.MAX,
    aggr.MinAggregation: Reduction.MIN,
    aggr.VarAggregation: Reduction.VAR,
    aggr.StdAggregation: Reduction.STD,
}


class QuantizedPNAConv(ReducingLayer):
    """``y_i = Q(x)_i Q(W_o)^T + [s (r_j (t_i + h_j)), ...] Q(W_p)^T + b`` over neighbours.

    The first linear layer is applied before the gather, ``h = Q(Q(x) Q(W)^T)``, and what a target
    adds, ``t``, after it. The two linear layers that follow (of each tower, and of all) are one.
    """

    packs_as = PnaLayer

    def __init__(self, source: PNAConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.pre_nns, self.post_nns = source.pre_nns, source.post_nns
        self.lin, self.aggr_module = source.lin, source.aggr_module
        self.channels: int = source.F_in
        self.towers: int = source.towers
        self.reductions = _reductions_of(source) or ()
        self.scalers = _scalers_of(source) or ()
        rows = {key: weight.size(0) for key, weight in self.weights().items()}
        self.weight_quantizer = nn.ModuleDict(
            {key: quantizers.weight(name, count) for key, count in rows.items()}
        )
        self.transformed_quantizer = quantizers.embedding(name)

    @classmethod
    def lacks(cls, source: PNAConv) -> str | None:
        """Edge features, towers that divide the input, and deeper networks before and after."""
        if source.divide_input and source.towers > 1:
            return "divide_input=True"
        for name in ("pre", "post"):
            layers = (len(getattr(source, f"{name}_nns")[0]) + 1) // 2
            if layers > 1:
                return f"{name}_layers={layers}"
        if _reductions_of(source) is None:
            return f"aggregators={[type(part).__name__ for part in _parts_of(source)]}"
        if _scalers_of(source) is None:
            return f"scalers={source.aggr_module.scaler}"
        return differing(source, edge_dim=None) or flow_differs(source)

    def weights(self) -> dict[str, Tensor]:
        """The matrices that are quantized ``[out, in]``, by the names of their packed weights."""
        before = [tower[0].weight for tower in self.pre_nns]
        after = [tower[0].weight for tower in self.post_nns]
        own, post = zip(*(self._folded(k, weight) for k, weight in enumerate(after)), strict=True)
        # Of each scaler and reduction the channels of all towers, as they are gathered.
        post_weight = torch.stack(post, dim=2).flatten(1)
        return {
            "weight": torch.cat([weight[:, self.channels :] for weight in before]),
            "target_weight": torch.cat([weight[:, : self.channels] for weight in before]),
            "own_weight": torch.stack(own).sum(dim=0),
            "post_weight": post_weight,
        }

    def _folded(self, tower: int, weight: Tensor) -> tuple[Tensor, Tensor]:
        """A tower's matrix and its share of the last one as one; parts of a node and neighbours."""
        rows = weight.size(0)
        folded = self.lin.weight[:, tower * rows : (tower + 1) * rows] @ weight
        both = folded.split([self.channels, weight.size(1) - self.channels], dim=1)
        return both[0], both[1].unflatten(1, (-1, self.channels))

    @property
    def bias(self) -> Tensor:
        """What is added to every node."""
        after = torch.cat([tower[0].bias for tower in self.post_nns])
        bias: Tensor = self.lin.weight @ after + self.lin.bias
        return bias

    @property
    def target_bias(self) -> Tensor:
        """What every target adds to what it is sent."""
        return torch.cat([tower[0].bias for tower in self.pre_nns])

    def forward(self, x: Tensor, edge_index: Any, edge_attr: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.pattern(edge_index, edge_attr=edge_attr)
        quantizers = self.weight_quantizer
        weights = {key: quantizers[key](weight) for key, weight in self.weights().items()}
        inputs = self.quantize_input(x)
        nodes = self.transformed_quantizer(linear(inputs, weights["weight"]))
        added = linear(inputs, weights["target_weight"]) + self.target_bias
        gathered = linear(self._gathered(adj_t, nodes, added), weights["post_weight"])
        return linear(inputs, weights["own_weight"]) + gathered + self.bias

    def _gathered(self, adj_t: CsrPattern, nodes: Tensor, added: Tensor) -> Tensor:
        """``[N, scalers * reductions * channels]``."""
        degrees = (adj_t.rowptr.diff() - 1).to(nodes.dtype).unsqueeze(1)
        made = self.reduced(adj_t, nodes, self.reductions)
        shifted = []
        for reduction, values in zip(self.reductions, made, strict=True):
            is_spread = reduction in (Reduction.VAR, Reduction.STD)
            times = degrees if reduction is Reduction.SUM else degrees.clamp(max=1)
            shifted.append(values if is_spread else values + times * added)
        reduced = torch.cat(shifted, dim=1)
        return torch.cat([reduced * self._factors(s, degrees) for s in self.scalers], dim=1)

    def _factors(self, scaler: Scaler, degrees: Tensor) -> Tensor:
        linear_average, log_average = self.aggr_module.avg_deg_lin, self.aggr_module.avg_deg_log
        known = degrees.clamp(min=1)
        factors: dict[Scaler, Tensor] = {
            Scaler.IDENTITY: torch.ones_like(degrees),
            Scaler.AMPLIFICATION: torch.log(degrees + 1) / log_average,
            Scaler.ATTENUATION: log_average / torch.log(known + 1),
            Scaler.LINEAR: degrees / linear_average,
            Scaler.INVERSE_LINEAR: linear_average / known,
        }
        return factors[scaler]

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its matrices, its biases, and the averages that it scales by."""
        module = self.aggr_module
        averages = torch.cat([module.avg_deg_lin, module.avg_deg_log])
        vectors = {
            "bias": self.bias,
            "target_bias": self.target_bias,
            "degree_averages": averages,
        }
        settings = {"reductions": self.reductions, "scalers": self.scalers}
        return packing.parts(self, weights=self.weights(), vectors=vectors, settings=settings)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return pna_spec(
            self.name,
            self.in_features,
            self.lin.weight.size(0),
            channels=self.towers * self.channels,
            reductions=len(self.reductions) * len(self.scalers),
        )


def _parts_of(source: PNAConv) -> list[nn.Module]:
    """The aggregations of a layer."""
    whole = source.aggr_module.aggr
    return list(whole.aggrs) if isinstance(whole, aggr.MultiAggregation) else [whole]


def _reductions_of(source: PNAConv) -> tuple[Reduction, ...] | None:
    """Its aggregations as reductions; ``None`` if one is none, or is there twice."""
    kinds = [type(part) for part in _parts_of(source)]
    if any(kind not in _REDUCTIONS for kind in kinds) or len(set(kinds)) < len(kinds):
        return None
    return tuple(_REDUCTIONS[kind] for kind in kinds)


def _scalers_of(source: PNAConv) -> tuple[Scaler, ...] | None:
    """Its scalers; ``None`` if one is not known, or is there twice."""
    names, known = list(source.aggr_module.scaler), [str(scaler) for scaler in Scaler]
    if any(name not in known for name in names) or len(set(names)) < len(names):
        return None
    return tuple(Scaler(name) for name in names)
