"""Sums of 64-bit tags by 32-bit halves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

jax = pytest.importorskip("jax")
from kerasbatch.engine.jax import checksums  # noqa: E402  # it imports JAX

pytestmark = pytest.mark.jax
INT64 = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(st.lists(INT64, min_size=1, max_size=7))
def test_a_sum_is_that_of_int64(tags: list[int]) -> None:
    """It wraps around at the same places."""
    array = np.array(tags, np.int64)
    total = checksums.total(checksums.halves(array))
    assert checksums.as_int64(total) == int(array.sum(dtype=np.int64))


@settings(deadline=None)
@given(INT64, INT64)
def test_two_sums_add_up(first: int, second: int) -> None:
    pairs = [checksums.total(checksums.halves(np.array([part]))) for part in (first, second)]
    expected = int(np.array([first, second]).sum(dtype=np.int64))
    assert checksums.as_int64(checksums.add(*pairs)) == expected
