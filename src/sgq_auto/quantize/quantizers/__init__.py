"""Fake-quantizers, their ranges, and which site gets which."""
