"""Graphs in tables: CSV and parquet files of nodes, of edges, and of features."""

from sgq_auto.graphs.sources.tables.table_source import TableSource

__all__ = ["TableSource"]
