"""Sources of blocks of steps: data on the device, or chunks that are streamed to it.

A source returns the steps of an epoch in their order, up to a requested number at a time.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from kerasbatch.engine.blocks import Block
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.steps import Plan
from kerasbatch.types import Array

MAX_BLOCK = 4096
"""The largest number of steps in a block."""
MAX_BLOCK_EXAMPLES = 2**19


class EpochSteps(Protocol):
    """The steps of one epoch."""

    def next(self, max_steps: int) -> Block | None:
        """Return at most `max_steps` next steps, or None at the end of the epoch."""

    def taken(self) -> int:
        """Return the number of steps of the run so far, including earlier epochs."""

    def close(self) -> None:
        """Release prepared steps that are not needed."""


def skip_steps(steps: EpochSteps, count: int) -> None:
    """Pass over the first steps of an epoch."""
    while count and (block := steps.next(count)) is not None:
        count -= block.steps


class StepSource(Protocol):
    """A source of the steps of all epochs of a training."""

    name: str
    epochs: int
    steps_per_epoch: int | None
    as_tuples: bool
    """True if a step always gets the arrays as a tuple; False if Keras packs them."""

    @property
    def max_steps(self) -> int:
        """The largest number of steps in a block."""

    @property
    def batch_size(self) -> int | None:
        """The size of every batch, or None if sizes differ or are unknown before."""

    @property
    def stream(self) -> ExampleStream | None:
        """The examples and their order, or None if the data define them."""

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1."""

    def shapes(self) -> Iterator[Block]:
        """Yield blocks of the shapes of the training, as far as they are known, to compile for."""

    def for_plan(self, plan: Plan) -> "StepSource":
        """Return a source of the same data for another plan."""

    def close(self) -> None:
        """End all background work."""


def steps_per_block(size: int, whole_batches: int) -> int:
    """Return the largest number of steps in a block.

    Args:
        size: the batch size.
        whole_batches: the full batches of an epoch.
    """
    max_steps = min(MAX_BLOCK, max(1, MAX_BLOCK_EXAMPLES // size))
    return min(max_steps, max(1, whole_batches))


def rows_of_steps(chosen: Array, max_steps: int, size: int) -> Array:
    """Return examples as indices of steps, shape (max_steps, size), int32, padded with 0."""
    indices = np.zeros((max_steps, size), np.int32)
    indices[: len(chosen) // size] = chosen.reshape(-1, size)
    return indices


class StreamSource:
    """The base of sources that read an example stream.

    Args:
        stream: the examples and their order.
        whole_batches: the number of full batches on the device at a time.
    """

    as_tuples = False

    def __init__(self, stream: ExampleStream, whole_batches: int) -> None:
        self._stream = stream
        self.epochs = stream.epochs
        self.steps_per_epoch: int | None = stream.steps_per_epoch or stream.plan.steps_per_epoch
        self.max_steps = steps_per_block(stream.plan.batch_size, whole_batches)
        is_even = stream.plan.last_batch_size == stream.plan.batch_size
        self.batch_size: int | None = stream.plan.batch_size if is_even else None

    @property
    def stream(self) -> ExampleStream:
        """The examples and their order."""
        return self._stream

    def shapes_over(self, arrays: Arrays, tags: Any) -> Iterator[Block]:
        """Yield the usual block and, if there is a partial batch, the block of it."""
        size, partial = self._stream.plan.batch_size, self._stream.plan.last_batch_size
        yield Block(arrays, tags, np.zeros((self.max_steps, size), np.int32), 0, True)
        if partial != size:
            yield Block(arrays, tags, np.zeros((1, partial), np.int32), 0, False)

    def close(self) -> None:
        """Do nothing: there is no work between epochs."""
