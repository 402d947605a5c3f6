"""What layers with trained attention share: coefficients of the edges, quantized, in chunks."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr import RowChunk
from sgq_auto.quantize.forward.deferred_dropout import dropout
from sgq_auto.quantize.layer import QuantizedLayer, stacked_linear, sums_messages
from sgq_auto.quantize.quantizers.factory import QuantizerFactory
from sgq_auto.quantize.quantizers.fake_quantizers import TrainedQuantizer

# Coefficients of a chunk: every edge tensor of a training step stays below 128 MiB.
_CHUNK_COEFFICIENTS = 1 << 25


class AttentionLayer(QuantizedLayer):
    """A layer whose attention is computed from its node embeddings and quantized.

    A large graph is walked in chunks of rows. Training computes the coefficients of a chunk a
    second time for its gradients instead of keeping them, so that memory for edge tensors is
    bounded however many edges there are.
    """

    attention_quantizer: nn.Module
    max_coefficients = _CHUNK_COEFFICIENTS
    _chunks: tuple[RowChunk, ...] = ()

    def propagate(self, adj_t: CsrPattern, nodes: Tensor, *inputs: Tensor) -> Tensor:
        """Attention times ``nodes`` ``[N, heads, channels]``.

        Args:
            adj_t: The edges.
            nodes: What is gathered.
            inputs: What :meth:`attention` reads.
        """
        max_entries = self.max_coefficients // nodes.size(1)
        if adj_t.num_entries <= max_entries:
            attention = self.attention_quantizer(self.attention(adj_t, slice(None), *inputs))
            return adj_t.spmm(self.drop_attention(attention), nodes)
        if not self._chunks:
            self._chunks = tuple(adj_t.row_chunks(max_entries))
        self._observe_chunks(*inputs)
        return torch.cat(
            [checkpoint(self._chunk, c, nodes, *inputs, use_reentrant=False) for c in self._chunks]
        )

    @abstractmethod
    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Coefficients ``[entries, heads]`` of ``rows``, whose edges are ``adj_t``."""

    def drop_attention(self, attention: Tensor) -> Tensor:
        """The coefficients after dropout."""
        if not self.training or self.dropout == 0:
            return attention
        return dropout(attention, self.dropout, self.engine)

    def _observe_chunks(self, *inputs: Tensor) -> None:
        quantizer = self.attention_quantizer
        if isinstance(quantizer, TrainedQuantizer) and quantizer.wants_to_observe:
            with torch.no_grad():
                quantizer.observe_parts(
                    (c.first_entry, self.attention(c.pattern, c.rows, *inputs))
                    for c in self._chunks
                )

    def _chunk(self, chunk: RowChunk, nodes: Tensor, *inputs: Tensor) -> Tensor:
        attention = self.attention(chunk.pattern, chunk.rows, *inputs)
        if isinstance(self.attention_quantizer, TrainedQuantizer):
            attention = self.attention_quantizer(attention, chunk.first_entry)
        return chunk.pattern.spmm(self.drop_attention(attention), nodes)


class MultiHeadLayer(AttentionLayer):
    """A layer of PyG's with several heads of attention.

    Args:
        source: The layer.
        name: Its name in the model.
        quantizers: Makes its fake-quantizers.
    """

    def __init__(self, source: Any, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.heads: int = source.heads
        self.channels: int = source.out_channels
        self.concat: bool = source.concat
        self.dropout = source.dropout

    def join_heads(self, out: Tensor) -> Tensor:
        """``[N, heads, channels]`` side by side, ``[N, heads * channels]``, or as their mean."""
        return out.flatten(1) if self.concat else out.mean(dim=1)


class StackedLayer(MultiHeadLayer):
    """A layer of PyG's whose products of its input with several matrices are coded together.

    One product with all matrices gives one embedding, one range a degree bucket, and one place in
    the footprint.

    Attributes:
        linear_names: What PyG calls its linear layers, in the order of their products.
    """

    linear_names: ClassVar[tuple[str, ...]]

    def __init__(self, source: Any, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        for key in self.linear_names:
            setattr(self, key, getattr(source, key))
        rows = sum(lin.weight.size(0) for lin in self.linears)
        self.weight_quantizer = quantizers.weight(name, rows)
        self.transformed_quantizer = quantizers.embedding(name)

    @classmethod
    def covers(cls, source: Any) -> bool:
        """Whether it has no edge features, and one kind of nodes."""
        one_kind = isinstance(source.in_channels, int)
        return source.lin_edge is None and one_kind and sums_messages(source)

    @property
    def linears(self) -> list[Any]:
        """Its linear layers, those first whose products are quantized."""
        return [getattr(self, key) for key in self.linear_names]

    def forward(
        self,
        x: Tensor,
        edge_index: Any,
        edge_attr: Any = None,
        return_attention_weights: Any = None,
    ) -> Tensor:
        """``[N, in]`` to ``[N, heads * out]``, or ``[N, out]`` where heads are averaged."""
        adj_t = self.pattern(
            edge_index, edge_attr=edge_attr, return_attention_weights=return_attention_weights
        )
        products = stacked_linear(self.quantize_input(x), self.linears, self.weight_quantizer)
        return self.from_products(adj_t, products)

    @abstractmethod
    def from_products(self, adj_t: CsrPattern, products: Tensor) -> Tensor:
        """The layer's output from the products ``[N, rows]`` of all its linear layers."""

    def embeddings(self, products: Tensor) -> list[Tensor]:
        """Each ``[N, heads, channels]`` among some products, quantized."""
        quantized = self.transformed_quantizer(products.contiguous())
        nodes = quantized.unflatten(1, (-1, self.heads, self.channels))
        return [part.contiguous() for part in nodes.unbind(1)]
