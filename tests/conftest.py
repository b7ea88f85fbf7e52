"""What the tests share: a small spec, a quiet TensorFlow, and a Ctrl-C that works."""

import copy
import os
import signal
from typing import Any

import pytest
from small_specs import SMALL

# A job in the background of a shell ignores Ctrl-C, and so would the processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def small() -> dict[str, Any]:
    """A spec that trains in a moment: 120 flowers, two epochs."""
    return copy.deepcopy(SMALL)
