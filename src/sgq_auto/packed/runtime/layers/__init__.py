"""The layers of packed models."""
