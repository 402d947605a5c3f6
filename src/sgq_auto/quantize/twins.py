"""Which quantized layer takes the place of which layer of a plain model."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch_geometric.nn import (
    APPNP,
    AGNNConv,
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    MessagePassing,
    SAGEConv,
    SGConv,
    TransformerConv,
)
from torch_geometric.nn import Linear as PygLinear

from sgq_auto.quantize.layers.attention_based.agnn import QuantizedAGNNConv
from sgq_auto.quantize.layers.attention_based.gat import QuantizedGATConv
from sgq_auto.quantize.layers.attention_based.gatv2 import QuantizedGATv2Conv
from sgq_auto.quantize.layers.attention_based.transformer import QuantizedTransformerConv
from sgq_auto.quantize.layers.gcn import QuantizedGCNConv
from sgq_auto.quantize.layers.generic import GenericConv
from sgq_auto.quantize.layers.gin import QuantizedGINConv
from sgq_auto.quantize.layers.graph_conv import QuantizedGraphConv
from sgq_auto.quantize.layers.linear import QuantizedLinear
from sgq_auto.quantize.layers.multi_hop.sgc_appnp import QuantizedAPPNP, QuantizedSGConv
from sgq_auto.quantize.layers.sage import QuantizedSAGEConv
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

# A twin is called as (layer, name, quantizers), and says by ``covers`` whether it does all that a
# layer does with its options.
_TWINS: dict[type[nn.Module], Any] = {
    GCNConv: QuantizedGCNConv,
    GATConv: QuantizedGATConv,
    GATv2Conv: QuantizedGATv2Conv,
    SAGEConv: QuantizedSAGEConv,
    GINConv: QuantizedGINConv,
    GraphConv: QuantizedGraphConv,
    AGNNConv: QuantizedAGNNConv,
    TransformerConv: QuantizedTransformerConv,
    SGConv: QuantizedSGConv,
    APPNP: QuantizedAPPNP,
    nn.Linear: QuantizedLinear,
    PygLinear: QuantizedLinear,
}

TwinMaker = Callable[[Any, str, QuantizerFactory], nn.Module]


def twin_maker(layer: nn.Module) -> TwinMaker | None:
    """What makes the twin of a layer, or ``None`` for a module that is no layer.

    A message passing layer that no twin covers is quantized around and runs on PyG's own path. A
    subclass of a known layer is none of those: it may compute something else.
    """
    twin = _TWINS.get(type(layer))
    if twin is not None and twin.covers(layer):
        maker: TwinMaker = twin
        return maker
    return GenericConv if isinstance(layer, MessagePassing) else None
