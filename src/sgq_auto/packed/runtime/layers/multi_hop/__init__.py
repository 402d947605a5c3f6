"""Layers that pass messages several times in a row, or beside an embedding that a model keeps."""
