"""Where graphs come from: one class a kind of source."""

from sgq_auto.graphs.sources.custom import graph_of
from sgq_auto.graphs.sources.embedded import EmbeddedCora
from sgq_auto.graphs.sources.npz.source import NpzSource
from sgq_auto.graphs.sources.ogb import OgbSource
from sgq_auto.graphs.sources.pyg.datasets import PygSource
from sgq_auto.graphs.sources.pyg.file import PygFileSource
from sgq_auto.graphs.sources.pyg.tu import TuSource
from sgq_auto.graphs.sources.source import GraphSource
from sgq_auto.graphs.sources.synthetic import SyntheticSource
from sgq_auto.graphs.sources.tables import TableSource

__all__ = [
    "EmbeddedCora",
    "GraphSource",
    "NpzSource",
    "OgbSource",
    "PygFileSource",
    "PygSource",
    "SyntheticSource",
    "TableSource",
    "TuSource",
    "graph_of",
]
