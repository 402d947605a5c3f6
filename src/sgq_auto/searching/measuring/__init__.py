"""Measuring: what a process needs for it, and what is known before the first trial."""
