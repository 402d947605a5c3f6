"""Sizes: what a model and a graph take in memory under every allocation of bits."""
