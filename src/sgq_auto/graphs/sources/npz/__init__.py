"""Graphs in NumPy archives."""
