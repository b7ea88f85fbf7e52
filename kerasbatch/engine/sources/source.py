"""Where blocks of steps come from: data that lie on the device, or chunks of data on their way.

A source hands out the steps of an epoch in their order, as many at a time as are asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.steps import Plan
from kerasbatch.types import Array

MAX_BLOCK = 4096
"""Steps that a block holds at the most."""
MAX_BLOCK_EXAMPLES = 2**19


@dataclass(frozen=True)
class Block:
    """Steps that one call of a program takes.

    Args:
        arrays: data on the device, of one length.
        tags: a tag for each example of them, int64.
        indices: the examples of each step, shape (K, batch size), int32; rows beyond `steps` are
            not used, so that K is always the same.
        steps: how many steps.
        whole: whether the batch size is the usual one, and not that of a partial batch.
        invalid_index: whether they may hold a mistake that XLA would compute with, unnoticed.
    """

    arrays: Arrays
    tags: tf.Tensor
    indices: Array
    steps: int
    whole: bool
    invalid_index: bool = False


class EpochSteps(Protocol):
    """The steps of one epoch."""

    def next(self, max_steps: int) -> Block | None:
        """Return the next steps, at most so many, or None at the end of the epoch."""

    def taken(self) -> int:
        """Return the steps of the run up to here, those of earlier epochs too."""

    def close(self) -> None:
        """Give back what was prepared and is not needed."""


class StepSource(Protocol):
    """All epochs of a training."""

    name: str
    epochs: int
    steps_per_epoch: int | None
    as_tuples: bool
    """Whether a step gets the arrays as a tuple, whatever they are; else as Keras packs them."""

    @property
    def max_steps(self) -> int:
        """Steps that a block holds at the most."""

    @property
    def stream(self) -> ExampleStream | None:
        """The examples and their order, where they are ours to decide."""

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1."""

    def shapes(self) -> Iterator[Block]:
        """Yield blocks of the shapes that will come, as far as is known, to compile for."""

    def for_plan(self, plan: Plan) -> "StepSource":
        """Return a source of the same data for another plan."""

    def close(self) -> None:
        """End what goes on behind the back of a training."""


def steps_per_block(size: int, whole_batches: int) -> int:
    """Return how many steps a block may hold.

    Args:
        size: the batch size.
        whole_batches: whole batches of an epoch.
    """
    max_steps = min(MAX_BLOCK, max(1, MAX_BLOCK_EXAMPLES // size))
    return min(max_steps, max(1, whole_batches))


def rows_of_steps(chosen: Array, max_steps: int, size: int) -> Array:
    """Return examples as indices of steps, shape (most, size), int32; the rest is zeros."""
    indices = np.zeros((max_steps, size), np.int32)
    indices[: len(chosen) // size] = chosen.reshape(-1, size)
    return indices


class StreamSource:
    """What sources have in common whose examples and order are ours to decide.

    Args:
        stream: the examples and their order.
        whole_batches: whole batches that lie on the device at a time.
    """

    as_tuples = False

    def __init__(self, stream: ExampleStream, whole_batches: int) -> None:
        self._stream = stream
        self.epochs = stream.epochs
        self.steps_per_epoch: int | None = stream.steps_per_epoch or stream.plan.steps_per_epoch
        self.max_steps = steps_per_block(stream.plan.batch_size, whole_batches)

    @property
    def stream(self) -> ExampleStream:
        """The examples and their order."""
        return self._stream

    def shapes_over(self, arrays: Arrays, tags: tf.Tensor) -> Iterator[Block]:
        """Yield the usual block and, where there is one, that of a partial batch."""
        size, partial = self._stream.plan.batch_size, self._stream.plan.last_batch_size
        yield Block(arrays, tags, np.zeros((self.max_steps, size), np.int32), 0, True)
        if partial != size:
            yield Block(arrays, tags, np.zeros((1, partial), np.int32), 0, False)

    def close(self) -> None:
        """Nothing goes on between epochs."""
