"""A packed model in C99 for small devices: its tables, the runtime beside them, their sizes."""
