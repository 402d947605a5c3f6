"""Graphs: from a dataset's name to one prepared graph."""

from sgq_auto.graphs.csr_products import CsrPattern
from sgq_auto.graphs.feature_matrix import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.prepare_graph import PreparedData, prepare_graph
from sgq_auto.graphs.prepared_graph import Graph
from sgq_auto.graphs.raw_graph import RawGraph, Split
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
