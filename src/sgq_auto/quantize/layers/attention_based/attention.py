"""What layers with trained attention share: coefficients of the edges, quantized, in chunks."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr_products import RowChunk
from sgq_auto.quantize.forward.deferred_dropout import dropout
from sgq_auto.quantize.layers.edge_features import EdgeFeatureLayer
from sgq_auto.quantize.quantizers.fake_quantizers import TrainedQuantizer

# Coefficients of a chunk: every edge tensor of a training step stays below 128 MiB.
_CHUNK_COEFFICIENTS = 1 << 25


class AttentionLayer(EdgeFeatureLayer):
    """A layer whose attention is computed from its node embeddings and quantized.

    A large graph is walked in chunks of rows. Training computes the coefficients of a chunk a
    second time for its gradients instead of keeping them, so that memory for edge tensors is
    bounded however many edges there are.
    """

    attention_quantizer: nn.Module
    max_coefficients = _CHUNK_COEFFICIENTS

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
            attention = self.drop_attention(attention)
            return self.weighted(adj_t, slice(None), attention, nodes, *inputs)
        chunks = self.quantizers.bound.once(
            f"{self.name}.chunks", lambda: tuple(adj_t.row_chunks(max_entries))
        )
        self._observe_chunks(chunks, *inputs)
        return torch.cat(
            [checkpoint(self._chunk, c, nodes, *inputs, use_reentrant=False) for c in chunks]
        )

    @abstractmethod
    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Coefficients ``[entries, heads]`` of ``rows``, whose edges are ``adj_t``."""

    def weighted(
        self, adj_t: CsrPattern, rows: slice, attention: Tensor, nodes: Tensor, *inputs: Tensor
    ) -> Tensor:
        """What ``rows``, whose edges are ``adj_t``, gather: attention times ``nodes``."""
        del rows, inputs
        return adj_t.spmm(attention, nodes)

    def drop_attention(self, attention: Tensor) -> Tensor:
        """The coefficients after dropout."""
        if not self.training or self.dropout == 0:
            return attention
        return dropout(attention, self.dropout, self.engine)

    def _observe_chunks(self, chunks: Sequence[RowChunk], *inputs: Tensor) -> None:
        quantizer = self.attention_quantizer
        if isinstance(quantizer, TrainedQuantizer) and quantizer.wants_to_observe:
            with torch.no_grad():
                quantizer.observe_parts(
                    (c.first_entry, self.attention(c.pattern, c.rows, *inputs)) for c in chunks
                )

    def _chunk(self, chunk: RowChunk, nodes: Tensor, *inputs: Tensor) -> Tensor:
        attention = self.attention(chunk.pattern, chunk.rows, *inputs)
        if isinstance(self.attention_quantizer, TrainedQuantizer):
            attention = self.attention_quantizer(attention, chunk.first_entry)
        attention = self.drop_attention(attention)
        return self.weighted(chunk.pattern, chunk.rows, attention, nodes, *inputs)
