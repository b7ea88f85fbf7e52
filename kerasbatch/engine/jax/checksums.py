"""Sums of 64-bit tags by pairs of 32-bit numbers: JAX has no 64-bit numbers by default."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from kerasbatch.types import Array

Pair = tuple[Any, Any]
"""The low and the high half of numbers, uint32."""
ZERO: Pair = (np.uint32(0), np.uint32(0))


def halves(tags: Array) -> Any:
    """Return tags, int64 of shape (n,), as their halves on the device, uint32 of shape (n, 2)."""
    low, high = tags.astype(np.uint64) & np.uint64(2**32 - 1), tags.astype(np.uint64) >> 32
    return jnp.asarray(np.stack([low, high], axis=1).astype(np.uint32))


def add(first: Pair, second: Pair) -> Pair:
    """Return sums, which wrap around as those of int64."""
    low = first[0] + second[0]
    carry = (low < first[0]).astype(low.dtype)
    return low, first[1] + second[1] + carry


def total(tags: Any) -> Pair:
    """Return the sum of tags as their halves, shape (rows, 2)."""
    low, high = lax.reduce((tags[:, 0], tags[:, 1]), ZERO, add, (0,))
    return low, high


def as_int64(pair: Pair) -> int:
    """Return a sum as a Python number in the range of int64."""
    low, high = (int(part) for part in pair)
    number = low + (high << 32)
    return number - 2**64 if number >= 2**63 else number
