"""What the runs of a study hold in MLflow."""
