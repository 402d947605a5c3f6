"""Prepared graphs on disk, and what is checked of them before anything is computed."""

from sgq_auto.graphs.store.stored_graph import (
    load_graph,
    load_labels,
    save_graph,
    save_labels,
    save_tensors,
)

__all__ = ["load_graph", "load_labels", "save_graph", "save_labels", "save_tensors"]
