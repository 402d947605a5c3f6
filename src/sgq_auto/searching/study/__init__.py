"""One study: its folder, its storage, and which command leads it."""
