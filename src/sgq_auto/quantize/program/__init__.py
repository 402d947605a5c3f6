"""What a prepared model does, seen in one forward pass, and as a program of packed operations."""
