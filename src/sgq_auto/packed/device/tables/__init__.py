"""The constant tables of a model in C."""
