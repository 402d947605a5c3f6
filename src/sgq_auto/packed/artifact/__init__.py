"""Artifacts: a packed model as one file, and all that is checked before it is believed."""
