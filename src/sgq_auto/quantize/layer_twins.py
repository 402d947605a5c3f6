"""Which quantized layer takes the place of which layer of a plain model."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch_geometric.nn import (
    APPNP,
    AGNNConv,
    GATConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GINConv,
    GINEConv,
    GraphConv,
    MessagePassing,
    PNAConv,
    SAGEConv,
    SGConv,
    TAGConv,
    TransformerConv,
)
from torch_geometric.nn import Linear as PygLinear

from sgq_auto.quantize.layers.attention_based.agnn import QuantizedAGNNConv
from sgq_auto.quantize.layers.attention_based.gat import QuantizedGATConv
from sgq_auto.quantize.layers.attention_based.gatv2 import QuantizedGATv2Conv
from sgq_auto.quantize.layers.attention_based.transformer import QuantizedTransformerConv
from sgq_auto.quantize.layers.gcn import QuantizedGCNConv
from sgq_auto.quantize.layers.generic import GenericConv
from sgq_auto.quantize.layers.gin import QuantizedGINConv, SummingGINConv
from sgq_auto.quantize.layers.gine import QuantizedGINEConv
from sgq_auto.quantize.layers.graph_conv import GatheringGraphConv, QuantizedGraphConv
from sgq_auto.quantize.layers.linear import QuantizedLinear
from sgq_auto.quantize.layers.multi_hop.gcn2 import QuantizedGCN2Conv
from sgq_auto.quantize.layers.multi_hop.sgc_appnp import QuantizedAPPNP, QuantizedSGConv
from sgq_auto.quantize.layers.multi_hop.tag import QuantizedTAGConv
from sgq_auto.quantize.layers.pna import QuantizedPNAConv
from sgq_auto.quantize.layers.sage import GatheringSAGEConv, QuantizedSAGEConv
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

# Of each layer, what may take its place: the first that does all that the layer does with its
# options, which it says by ``lacks``. A twin is called as (layer, name, quantizers).
_TWINS: dict[type[nn.Module], tuple[Any, ...]] = {
    GCNConv: (QuantizedGCNConv,),
    GATConv: (QuantizedGATConv,),
    GATv2Conv: (QuantizedGATv2Conv,),
    SAGEConv: (QuantizedSAGEConv, GatheringSAGEConv),
    GINConv: (QuantizedGINConv, SummingGINConv),
    GINEConv: (QuantizedGINEConv,),
    GraphConv: (QuantizedGraphConv, GatheringGraphConv),
    AGNNConv: (QuantizedAGNNConv,),
    TransformerConv: (QuantizedTransformerConv,),
    PNAConv: (QuantizedPNAConv,),
    SGConv: (QuantizedSGConv,),
    APPNP: (QuantizedAPPNP,),
    GCN2Conv: (QuantizedGCN2Conv,),
    TAGConv: (QuantizedTAGConv,),
    nn.Linear: (QuantizedLinear,),
    PygLinear: (QuantizedLinear,),
}

TwinMaker = Callable[[Any, str, QuantizerFactory], nn.Module]


def twin_maker(layer: nn.Module) -> TwinMaker | None:
    """What makes the twin of a layer, or ``None`` for a module that is no layer.

    A message passing layer that no twin covers is quantized around and runs on PyG's own path. A
    subclass of a known layer is none of those: it may compute something else.
    """
    lacking = None
    for twin in _TWINS.get(type(layer), ()):
        lacking = twin.lacks(layer)
        if lacking is None:
            maker: TwinMaker = twin
            return maker
    return partial(GenericConv, option=lacking) if isinstance(layer, MessagePassing) else None
