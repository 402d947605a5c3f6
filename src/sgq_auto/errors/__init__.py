"""Errors: what reaches the person at the terminal, whose code raised it, what is not installed."""

from sgq_auto.errors.input_error import ArtifactError, InputError, did_you_mean

__all__ = ["ArtifactError", "InputError", "did_you_mean"]
