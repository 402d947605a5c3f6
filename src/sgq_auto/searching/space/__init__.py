"""The search space, exact sizes of its points, budgets and Pareto fronts."""
