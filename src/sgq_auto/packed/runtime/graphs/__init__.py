"""Graphs as the packed runtime holds them: its own, and those that come with a call."""
