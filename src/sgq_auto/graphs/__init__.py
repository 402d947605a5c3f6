"""Graphs: from a dataset's name to one prepared graph."""

from sgq_auto.graphs.csr import CsrPattern
from sgq_auto.graphs.features import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.graph import Graph, LabelledNodes
from sgq_auto.graphs.prepare import PreparedData, prepare_graph
from sgq_auto.graphs.raw import RawGraph, Split
from sgq_auto.settings.bucket_settings import BucketSettings

__all__ = [
    "BucketSettings",
    "CsrPattern",
    "DenseFeatures",
    "Features",
    "Graph",
    "LabelledNodes",
    "PreparedData",
    "RawGraph",
    "SparseFeatures",
    "Split",
    "prepare_graph",
]
