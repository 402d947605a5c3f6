"""Plain PyG models at full precision; nothing here knows about bits."""

from sgq_auto.models.agnn import AGNN
from sgq_auto.models.gat import GAT
from sgq_auto.models.gcn import GCN

__all__ = ["AGNN", "GAT", "GCN"]
