"""What defines a search, checked before anything is loaded."""
