"""What the tests share: a small spec, and a quiet TensorFlow."""

import copy
import os
from typing import Any

import pytest
from small_specs import SMALL

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def small() -> dict[str, Any]:
    """A spec that trains in a moment: 120 flowers, two epochs."""
    return copy.deepcopy(SMALL)
