"""The quantized twin of PyG's ``PNAConv``."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import PNAConv, aggr

from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr_products import RowChunk
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.pna import PnaLayer, Scaler, pna_spec
from sgq_auto.packed.runtime.neighbor_reductions import Reduction
from sgq_auto.quantize.layers.edge_features import EdgeFeatureLayer
from sgq_auto.quantize.layers.edge_reductions import reduced_messages
from sgq_auto.quantize.layers.reducing import ReducingLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import flow_differs, linear
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

_REDUCTIONS: dict[type[nn.Module], Reduction] = {
    aggr.MeanAggregation: Reduction.MEAN,
    aggr.SumAggregation: Reduction.SUM,
    aggr.MaxAggregation: Reduction.MAX,
    aggr.MinAggregation: Reduction.MIN,
    aggr.VarAggregation: Reduction.VAR,
    aggr.StdAggregation: Reduction.STD,
}


# Values of a chunk of messages: every edge tensor of a training step stays below 128 MiB.
_CHUNK_VALUES = 1 << 25


class QuantizedPNAConv(ReducingLayer, EdgeFeatureLayer):
    """``y_i = Q(x)_i Q(W_o)^T + [s (r_j (t_i + h_j)), ...] Q(W_p)^T + b`` over neighbours.

    The first linear layer is applied before the gather, ``h = Q(Q(x) Q(W)^T)``, and what a target
    adds, ``t``, after it. The two linear layers that follow (of each tower, and of all) are one.
    Where edges have features, what encodes them and its share of the first layer are one, too, and
    ``W_e e_ij`` is added to what a neighbour sends.
    """

    packs_as = PnaLayer

    def __init__(self, source: PNAConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.pre_nns, self.post_nns = source.pre_nns, source.post_nns
        self.lin, self.aggr_module = source.lin, source.aggr_module
        self.channels: int = source.F_in
        self.towers: int = source.towers
        self.edge_dim = source.edge_dim
        self.edge_encoder = source.edge_encoder if self.edge_dim is not None else None
        self.reductions = _reductions_of(source) or ()
        self.scalers = _scalers_of(source) or ()
        rows = {key: weight.size(0) for key, weight in self.weights().items()}
        self.weight_quantizer = nn.ModuleDict(
            {key: quantizers.weight(name, count) for key, count in rows.items()}
        )
        self.transformed_quantizer = quantizers.embedding(name)

    @classmethod
    def lacks(cls, source: PNAConv) -> str | None:
        """Towers that divide the input, and deeper networks before and after."""
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
        return flow_differs(source)

    def weights(self) -> dict[str, Tensor]:
        """The matrices that are quantized ``[out, in]``, by the names of their packed weights."""
        before = [tower[0].weight for tower in self.pre_nns]
        after = [tower[0].weight for tower in self.post_nns]
        own, post = zip(*(self._folded(k, weight) for k, weight in enumerate(after)), strict=True)
        # Of each scaler and reduction the channels of all towers, as they are gathered.
        post_weight = torch.stack(post, dim=2).flatten(1)
        targets, sources = (
            torch.cat([weight[:, k * self.channels : (k + 1) * self.channels] for weight in before])
            for k in range(2)
        )
        made = {
            "weight": sources,
            "target_weight": targets,
            "own_weight": torch.stack(own).sum(dim=0),
            "post_weight": post_weight,
        }
        if self.edge_encoder is not None:
            made["edge_matrix"] = self._edge_share() @ self.edge_encoder.weight
        return made

    def _edge_share(self) -> Tensor:
        """What the first layer of each tower makes of encoded edges, ``[made, in]``."""
        return torch.cat([tower[0].weight[:, 2 * self.channels :] for tower in self.pre_nns])

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
        bias = torch.cat([tower[0].bias for tower in self.pre_nns])
        if self.edge_encoder is None or self.edge_encoder.bias is None:
            return bias
        encoded: Tensor = bias + self._edge_share() @ self.edge_encoder.bias
        return encoded

    def forward(self, x: Tensor, edge_index: Any, edge_attr: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.featured_pattern(edge_index, edge_attr)
        quantizers = self.weight_quantizer
        weights = {key: quantizers[key](weight) for key, weight in self.weights().items()}
        inputs = self.quantize_input(x)
        nodes = self.transformed_quantizer(linear(inputs, weights["weight"]))
        added = linear(inputs, weights["target_weight"]) + self.target_bias
        made = self._made(adj_t, nodes, weights.get("edge_matrix"))
        gathered = linear(self._gathered(adj_t, made, added), weights["post_weight"])
        return linear(inputs, weights["own_weight"]) + gathered + self.bias

    def _made(self, adj_t: CsrPattern, nodes: Tensor, matrix: Tensor | None) -> list[Tensor]:
        """Each reduction of what neighbours send ``[N, channels]``, without what targets add."""
        if matrix is None:
            return self.reduced(adj_t, nodes, self.reductions)
        pattern, limit = adj_t.without_loops, _CHUNK_VALUES // nodes.size(1)
        if pattern.num_entries <= limit:
            return self._of_messages(RowChunk(pattern, slice(None), 0), nodes, matrix)
        chunks = self.quantizers.bound.once(
            f"{self.name}.chunks", lambda: tuple(pattern.row_chunks(limit))
        )
        parts = [
            checkpoint(self._of_messages, chunk, nodes, matrix, use_reentrant=False)
            for chunk in chunks
        ]
        return [torch.cat(rows) for rows in zip(*parts, strict=True)]

    def _of_messages(self, chunk: RowChunk, nodes: Tensor, matrix: Tensor) -> list[Tensor]:
        edges = linear(self.edge_rows(chunk.rows, nodes.dtype), matrix)
        messages = nodes.index_select(0, chunk.pattern.col) + edges
        return reduced_messages(chunk.pattern, messages, self.reductions)

    def _gathered(self, adj_t: CsrPattern, made: list[Tensor], added: Tensor) -> Tensor:
        """``[N, scalers * reductions * channels]``."""
        degrees = (adj_t.rowptr.diff() - 1).to(added.dtype).unsqueeze(1)
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
            edge_features=self.edge_dim or 0,
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
