"""The kinds of layers that a packed model may have."""

from collections.abc import Mapping

from sgq_auto.packed.runtime.layers.attention_based.agnn import AgnnLayer
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer
from sgq_auto.packed.runtime.layers.attention_based.gatv2 import GatV2Layer
from sgq_auto.packed.runtime.layers.attention_based.transformer import TransformerLayer
from sgq_auto.packed.runtime.layers.gathering import GatheringLayer
from sgq_auto.packed.runtime.layers.gcn import GcnLayer
from sgq_auto.packed.runtime.layers.gin import GinLayer
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer
from sgq_auto.packed.runtime.layers.gine_sum import GineSumLayer
from sgq_auto.packed.runtime.layers.graph_conv import GraphConvLayer
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.layers.linear import LinearLayer
from sgq_auto.packed.runtime.layers.multi_hop.appnp import AppnpLayer
from sgq_auto.packed.runtime.layers.multi_hop.gcn2 import Gcn2Layer
from sgq_auto.packed.runtime.layers.multi_hop.sgc import SgcLayer
from sgq_auto.packed.runtime.layers.multi_hop.tag import TagLayer
from sgq_auto.packed.runtime.layers.pna import PnaLayer
from sgq_auto.packed.runtime.layers.sage import SageLayer

# By the name that a header gives them. Names are part of the file format: none may change.
KINDS: Mapping[str, type[PackedLayer]] = {
    layer.kind: layer
    for layer in (
        LinearLayer,
        GcnLayer,
        GatLayer,
        SageLayer,
        GinLayer,
        AgnnLayer,
        GraphConvLayer,
        GatV2Layer,
        TransformerLayer,
        GatheringLayer,
        GinSumLayer,
        GineSumLayer,
        PnaLayer,
        SgcLayer,
        AppnpLayer,
        Gcn2Layer,
        TagLayer,
    )
}
