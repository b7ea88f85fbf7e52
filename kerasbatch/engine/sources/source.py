"""Where blocks of steps come from: data that lie on the device, or chunks of data on their way.

A source hands out the steps of an epoch in their order, as many at a time as are asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
        doubtful: whether they may hold a mistake that XLA would compute with, unnoticed.
    """

    arrays: Arrays
    tags: tf.Tensor
    indices: Array
    steps: int
    whole: bool
    doubtful: bool = False


class EpochSteps(Protocol):
    """The steps of one epoch."""

    def next(self, most: int) -> Block | None:
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
    def most(self) -> int:
        """Steps that a block holds at the most."""

    @property
    def feed(self) -> ExampleStream | None:
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
    most = min(MAX_BLOCK, max(1, MAX_BLOCK_EXAMPLES // size))
    return min(most, max(1, whole_batches))


def rows_of_steps(chosen: Array, most: int, size: int) -> Array:
    """Return examples as indices of steps, shape (most, size), int32; the rest is zeros."""
    indices = np.zeros((most, size), np.int32)
    indices[: len(chosen) // size] = chosen.reshape(-1, size)
    return indices


class StreamSource:
    """What sources have in common whose examples and order are ours to decide.

    Args:
        feed: the examples and their order.
        whole_batches: whole batches that lie on the device at a time.
    """

    as_tuples = False

    def __init__(self, feed: ExampleStream, whole_batches: int) -> None:
        self._feed = feed
        self.epochs = feed.epochs
        self.steps_per_epoch: int | None = feed.steps_per_epoch or feed.plan.steps_per_epoch
        self.most = steps_per_block(feed.plan.batch_size, whole_batches)

    @property
    def feed(self) -> ExampleStream:
        """The examples and their order."""
        return self._feed

    def shapes_over(self, arrays: Arrays, tags: tf.Tensor) -> Iterator[Block]:
        """Yield the usual block and, where there is one, that of a partial batch."""
        size, partial = self._feed.plan.batch_size, self._feed.plan.last_batch_size
        yield Block(arrays, tags, np.zeros((self.most, size), np.int32), 0, True)
        if partial != size:
            yield Block(arrays, tags, np.zeros((1, partial), np.int32), 0, False)

    def close(self) -> None:
        """Nothing goes on between epochs."""


class ResidentSource(StreamSource):
    """Data that lie on the device as a whole.

    Args:
        feed: the examples and their order.
        arrays: its arrays on the device.
    """

    name = "resident"

    def __init__(self, feed: ExampleStream, arrays: Arrays) -> None:
        super().__init__(feed, feed.plan.whole_batches)
        self.arrays, self.tags = arrays, tf.constant(feed.tags)

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1."""
        return _ResidentSteps(self, epoch)

    def shapes(self) -> Iterator[Block]:
        """Yield the blocks that will come."""
        return self.shapes_over(self.arrays, self.tags)

    def for_plan(self, plan: Plan) -> "ResidentSource":
        """Return the same data for another plan."""
        return ResidentSource(replace(self.feed, plan=plan), self.arrays)


class _ResidentSteps:
    """The steps of an epoch over resident data."""

    def __init__(self, source: ResidentSource, epoch: int) -> None:
        self._source, feed = source, source.feed
        self._pass, self._batch = feed.start(epoch)
        self._order = feed.order(self._pass).astype(np.int32)
        self._end = self._batch + feed.steps(epoch)

    def next(self, most: int) -> Block | None:
        """Return the next steps, at most so many, or None at the end of the epoch."""
        if self._batch == self._end:
            return None
        source, plan = self._source, self._source.feed.plan
        whole = plan.whole_batches - self._batch
        steps = min(most, self._end - self._batch, whole) if whole > 0 else 1
        chosen = self._order[plan.batches(self._batch, steps)]
        self._batch += steps
        if whole <= 0:
            return Block(source.arrays, source.tags, chosen[None], 1, False)
        indices = rows_of_steps(chosen, source.most, plan.batch_size)
        return Block(source.arrays, source.tags, indices, steps, True)

    def taken(self) -> int:
        """Return the steps of the run up to here, those of earlier epochs too."""
        return self._source.feed.plan.step_after(self._pass - 1, self._batch) - 1

    def close(self) -> None:
        """Nothing was prepared."""
