"""The small specs of the tests."""

from typing import Any

FLOWERS = """\
data: iris
model: {layers: [{Dense: {units: 3, activation: softmax}}]}
optimizer: {name: sgd, learning_rate: 0.1}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
epochs: 2
batch_size: 16
"""
"""A spec that trains in a moment: 120 flowers, two epochs."""

SMALL: dict[str, Any] = {
    "data": "iris",
    "model": {"layers": [{"Dense": {"units": 3, "activation": "softmax"}}]},
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 2,
    "batch_size": 16,
}
"""The same as a dict; the fixture `small` returns a copy."""

LINE: dict[str, Any] = {
    "data": {"name": "line", "examples": 24, "standardize": False},
    "model": {"layers": [{"Dense": {"units": 1, "kernel_initializer": "zeros"}}]},
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
    "loss": "half_mse",
    "validation": "none",
    "epochs": 3,
    "batch_size": 5,
    "evaluate_every": {"steps": 1},
    "record": ["weights", "steps"],
}
"""A linear regression that records every weight."""
