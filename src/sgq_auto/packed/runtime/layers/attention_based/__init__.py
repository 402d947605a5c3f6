"""Packed layers that weight each edge by a coefficient that is computed from embeddings."""
