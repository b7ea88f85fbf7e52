"""Exports to TensorBoard and MLflow."""
