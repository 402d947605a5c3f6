"""The packed runtime: a model, its graph and its features as codes, and what runs them."""
