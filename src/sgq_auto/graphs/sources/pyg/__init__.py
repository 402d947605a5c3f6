"""Graphs of PyTorch Geometric: its datasets, and ``Data`` that users have saved."""
