"""The tool as a library: a PyG model and its graph in, a search's answer or a packed model out."""

from sgq_auto.library.functions import Found, Prepared, pack, prepare, search

__all__ = ["Found", "Prepared", "pack", "prepare", "search"]
