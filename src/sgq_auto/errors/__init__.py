"""Errors: what reaches the person at the terminal, and whose code raised it."""

from sgq_auto.errors.input_error import ArtifactError, InputError, did_you_mean

__all__ = ["ArtifactError", "InputError", "did_you_mean"]
