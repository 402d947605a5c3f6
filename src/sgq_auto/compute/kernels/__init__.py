"""Compiled CPU kernels on numpy arrays: one thread, no allocation, no checks."""
