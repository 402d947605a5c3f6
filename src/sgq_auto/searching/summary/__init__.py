"""``summary.json``: what a search found, for people and for other tools."""
