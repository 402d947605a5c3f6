"""The confirm stage: points of the front on fresh seeds, and the one that is recommended."""
