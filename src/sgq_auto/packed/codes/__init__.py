"""Codes: integers in few bits, the ranges that they stand for, and patterns that stay coded."""
