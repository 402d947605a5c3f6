"""Twins of layers that pass messages several times in a row."""
