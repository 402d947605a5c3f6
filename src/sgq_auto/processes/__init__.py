"""Processes: where workers come from, and how signals end a command. Standard library only."""
