"""sgq-auto: how few bytes can a graph neural network run in, and at what cost in accuracy."""

__version__ = "0.1.0"
