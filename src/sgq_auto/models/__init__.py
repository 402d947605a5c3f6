"""Plain PyG models at full precision; nothing here knows about bits."""

from sgq_auto.models.agnn import AGNN
from sgq_auto.models.gat import GAT
from sgq_auto.models.gcn import GCN
from sgq_auto.models.gin import GIN
from sgq_auto.models.sage import SAGE
from sgq_auto.models.whole_graphs import GraphGCN, GraphGIN, GraphGINE

__all__ = ["AGNN", "GAT", "GCN", "GIN", "SAGE", "GraphGCN", "GraphGIN", "GraphGINE"]
