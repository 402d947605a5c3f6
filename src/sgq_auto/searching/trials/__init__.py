"""Trials: their records, whose they are, which of them stand, and how often one is measured."""
