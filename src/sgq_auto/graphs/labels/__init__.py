"""Labels: what they are by the task, which nodes have some, and the units of numbers."""
