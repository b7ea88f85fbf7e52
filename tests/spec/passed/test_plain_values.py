"""Values of NumPy and Python stand for the numbers, lists and texts of a spec."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasbatch.errors import SpecError
from kerasbatch.spec.passed.plain_values import plain_value


def test_numbers() -> None:
    """A float32 is the number that it is written as."""
    assert plain_value(np.int64(3)) == 3
    assert plain_value(np.float32(0.1)) == 0.1
    assert plain_value(np.float64(0.1)) == 0.1
    assert plain_value(np.bool_(True)) is True
    assert plain_value(np.array(5)) == 5
    assert all(type(value) is int for value in plain_value(np.arange(3)))


def test_lists() -> None:
    """Ranges, tuples, arrays and Series are lists."""
    assert plain_value(range(3)) == [0, 1, 2]
    assert plain_value((1, np.float32(0.3))) == [1, 0.3]
    assert plain_value(2 ** np.arange(3)) == [1, 2, 4]
    assert plain_value(np.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert plain_value(pd.Series([0.1, 1.0])) == [0.1, 1.0]
    assert plain_value(np.array(["a", "b"])) == ["a", "b"]


def test_mappings_and_paths() -> None:
    """Inside of mappings, too; keys are text."""
    given = {"data": {"csv": Path("a/b.csv")}, np.str_("seed"): [np.uint8(1)], 8: 1}
    assert plain_value(given) == {"data": {"csv": "a/b.csv"}, "seed": [1], "8": 1}
    with pytest.raises(SpecError, match="is not text"):
        plain_value({(1, 2): 3})
