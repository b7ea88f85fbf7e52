"""What the tests share: a small spec, and a quiet TensorFlow."""

import os
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def small() -> dict[str, Any]:
    """A spec that trains in a moment: 120 flowers, two epochs."""
    return {
        "data": "iris",
        "model": {"layers": [{"Dense": {"units": 3, "activation": "softmax"}}]},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 2,
        "batch_size": 16,
    }
