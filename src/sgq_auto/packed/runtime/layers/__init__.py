"""The layers of packed models, one file a kind."""
