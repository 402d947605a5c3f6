"""Text that is shown or kept: passwords left out, every character one that can be shown."""
