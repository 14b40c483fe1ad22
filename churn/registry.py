"""The model registry: the only file that imports mlflow."""
