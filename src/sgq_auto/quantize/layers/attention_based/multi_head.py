"""What layers with several heads of attention share: products, edges, and a node's own term."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.attention_based.attention import AttentionLayer
from sgq_auto.quantize.layers.edge_features import fill_differs, loop_fill
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import stacked_linear, sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class MultiHeadLayer(AttentionLayer):
    """A layer of PyG's with several heads of attention.

    One product with all its matrices is made of its input. What is gathered, and what scores are
    made of, is one embedding, coded together: one range a degree bucket, and one place in the
    footprint. A node's own term (a residual, a skip) is added as it is computed. Where edges have
    features, a matrix of their own transforms them, edge by edge, and nothing of that is held.

    Args:
        source: The layer.
        name: Its name in the model.
        quantizers: Makes its fake-quantizers.

    Attributes:
        linear_names: What PyG calls its linear layers, in the order of their products; those of
            the embedding first.
        own_name: What PyG calls the linear layer of a node's own term; ``source`` may lack it.
        loops: Whether a node is among those that it attends to.
    """

    linear_names: ClassVar[tuple[str, ...]]
    own_name: ClassVar[str] = "res"

    def __init__(self, source: Any, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.heads: int = source.heads
        self.channels: int = source.out_channels
        self.concat: bool = source.concat
        self.dropout = source.dropout
        self.loops: bool = getattr(source, "add_self_loops", False)
        for key in (*self.linear_names, self.own_name):
            setattr(self, key, getattr(source, key))
        self.made_features = sum(lin.weight.size(0) for lin in self.made)
        rows = sum(lin.weight.size(0) for lin in self.linears)
        self.weight_quantizer = quantizers.weight(name, rows)
        self.transformed_quantizer = quantizers.embedding(name)
        makes = quantizers.attention if self.loops else quantizers.neighbor_attention
        self.attention_quantizer = makes(name)
        self.edge_dim, self.lin_edge = source.edge_dim, source.lin_edge
        if self.edge_dim is not None:
            self.fill = loop_fill(source)
            self.edge_quantizer = quantizers.weight(name, self.lin_edge.weight.size(0))

    @classmethod
    def lacks(cls, source: Any) -> str | None:
        """Two kinds of nodes, and some features of self-loops."""
        if not isinstance(source.in_channels, int):
            return f"in_channels={source.in_channels!r}"
        return fill_differs(source) or sum_differs(source)

    @property
    def made(self) -> list[Any]:
        """The linear layers of its embedding."""
        return [getattr(self, key) for key in self.linear_names]

    @property
    def own(self) -> Any:
        """The linear layer of a node's own term, or ``None``."""
        return getattr(self, self.own_name)

    @property
    def linears(self) -> list[Any]:
        """All of them, in the order of their products."""
        return [*self.made, *([] if self.own is None else [self.own])]

    def edges(self, adj_t: CsrPattern) -> CsrPattern:
        """Those that it attends along."""
        return adj_t if self.loops else adj_t.without_loops

    def products(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The quantized embedding ``[N, made]`` and a node's own term ``[N, out]``, if any."""
        out = stacked_linear(self.quantize_input(x), self.linears, self.weight_quantizer)
        made, own = out[:, : self.made_features], out[:, self.made_features :]
        quantized: Tensor = self.transformed_quantizer(made.contiguous())
        return quantized, None if self.own is None else own

    def edge_matrix(self) -> tuple[Tensor, ...]:
        """The quantized matrix of edges ``[heads, channels, edge_dim]``; nothing without one."""
        if self.edge_dim is None:
            return ()
        matrix: Tensor = self.edge_quantizer(self.lin_edge.weight)
        return (matrix.view(self.heads, self.channels, self.edge_dim),)

    def loop_settings(self) -> dict[str, Any]:
        """What self-loops have for features, where they have some."""
        return {"loop_fill": self.fill} if self.edge_dim is not None and self.loops else {}

    def join_heads(self, out: Tensor) -> Tensor:
        """``[N, heads, channels]`` side by side, ``[N, heads * channels]``, or as their mean."""
        return out.flatten(1) if self.concat else out.mean(dim=1)

    def parts_of(
        self,
        packing: Packing,
        vectors: Mapping[str, Tensor | None],
        settings: Mapping[str, Any],
    ) -> LayerParts:
        """Its matrices and the bias of its embedding, with what the layer has besides."""
        weights = {"weight": torch.cat([lin.weight for lin in self.made])}
        weights |= {} if self.own is None else {"root_weight": self.own.weight}
        given = {"made_bias": _side_by_side([lin.bias for lin in self.made]), **vectors}
        settings = {"concat": self.concat, **settings}
        parts = packing.parts(self, weights=weights, vectors=given, settings=settings)
        return (
            parts if self.edge_dim is None else self.with_edge_matrix(parts, self.lin_edge.weight)
        )


class StackedLayer(MultiHeadLayer):
    """A layer of PyG's whose targets and sources are different embeddings."""

    def forward(
        self,
        x: Tensor,
        edge_index: Any,
        edge_attr: Any = None,
        return_attention_weights: Any = None,
    ) -> Tensor:
        """``[N, in]`` to ``[N, heads * out]``, or ``[N, out]`` where heads are averaged."""
        adj_t = self.featured_pattern(
            edge_index, edge_attr, return_attention_weights=return_attention_weights
        )
        made, own = self.products(x)
        nodes = made.unflatten(1, (-1, self.heads, self.channels)).unbind(1)
        out = self.gathered(self.edges(adj_t), [part.contiguous() for part in nodes])
        return self.finished(self.join_heads(out), own)

    @abstractmethod
    def gathered(self, adj_t: CsrPattern, nodes: Sequence[Tensor]) -> Tensor:
        """What nodes gather, from the parts ``[N, heads, channels]`` of its embedding."""

    @abstractmethod
    def finished(self, gathered: Tensor, own: Tensor | None) -> Tensor:
        """The layer's output, from what is gathered ``[N, out]`` and a node's own term."""


def _side_by_side(biases: Sequence[Tensor | None]) -> Tensor | None:
    given = [bias for bias in biases if bias is not None]
    return torch.cat(given) if given else None
