"""Batches that somebody else makes, as blocks of steps; epochs are what they are in Keras."""

import contextlib
import functools
import itertools
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.batches import (
    as_arrays,
    batch_spec_obstacle,
    chunks_of_dataset,
    chunks_of_iterator,
    guaranteed_batch_size,
    rows_of_batches,
    rows_per_chunk,
)
from kerasbatch.engine.sources.chunks import Chunk, ChunkSteps, pack
from kerasbatch.engine.sources.source import Block, EpochSteps, steps_per_block
from kerasbatch.steps import Plan

NOTHING = "x yields no batch; there is nothing to train on"


class BatchSource:
    """The batches of a tf.data.Dataset, a generator or a PyDataset.

    Args:
        adapter: Keras' own for the data.
        epochs: the epoch to end with.
        steps_per_epoch: as in Keras, or None.
        left: how many epochs there are left to train.
    """

    name = "stacked"
    feed = None

    def __init__(self, adapter: Any, epochs: int, steps_per_epoch: int | None, left: int) -> None:
        self._left = left
        self.adapter, self.asked = adapter, steps_per_epoch
        self._dataset = adapter.get_tf_dataset()
        self.count: int | None = adapter.num_batches
        self.spec = self._dataset.element_spec
        self.as_tuples = isinstance(self.spec, tuple)
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch or self.count
        self.is_doubtful: Callable[[Arrays], bool] = lambda arrays: False
        """Looks in a chunk for what XLA would compute with, unnoticed."""
        self.current: ChunkSteps | None = None
        self._begun: _BatchSteps | None = None
        self.ends_anew = False
        """Whether Keras would have begun with the data anew, for an epoch that may not come."""

    @property
    def most(self) -> int:
        """Steps of a block at the most; 1 until the first batch is there."""
        return max(1, self.current.most) if self.current else 1

    @property
    def total_steps(self) -> int | None:
        """The steps that are left to take, or None where nobody knows."""
        return None if self.steps_per_epoch is None else self._left * self.steps_per_epoch

    @property
    def obstacle(self) -> str | None:
        """What keeps the batches from being laid one after the other, or None."""
        if told := batch_spec_obstacle(self.spec):
            return told
        first = [keras.tree.flatten(batch) for batch in keras_private.first_batches(self.adapter)]
        lengths = [{len(leaf) for leaf in leaves} for leaves in first]
        lengths.append({leaf.shape[0] for leaf in keras.tree.flatten(self.spec)})
        uneven = any(len(each) > 1 for each in lengths)
        return "the arrays of a batch are of different lengths" if uneven else None

    @property
    def _size(self) -> int | None:
        """Examples of every batch, where TensorFlow guarantees one number."""
        return guaranteed_batch_size(self.spec)

    @property
    def _first_size(self) -> int | None:
        """Examples of a batch, where a generator was asked for the first ones."""
        first = keras_private.first_batches(self.adapter)
        return max((len(keras.tree.flatten(batch)[0]) for batch in first), default=None)

    @property
    def _rows(self) -> int:
        known = self._first_size or self._size or keras_private.stated_batch_size(self._dataset)
        return rows_per_chunk(self.spec, known, self.total_steps)

    def open(self) -> None:
        """Begin the first epoch, up to the first batch; a generator is not touched.

        Raises:
            ValueError: if there is no batch.
        """
        self.adapter.on_epoch_end()  # as Keras does before its first epoch
        if keras_private.first_batches(self.adapter):
            return
        self._begun = _BatchSteps(self)
        try:
            if self._begun.is_empty():
                raise ValueError(NOTHING)
        except BaseException:
            self.close()
            raise

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch; the first one may have begun already."""
        begun, self._begun = self._begun, None
        return begun or _BatchSteps(self)

    def renew(self) -> None:
        """Begin with the data from their beginning."""
        self.end_chunks()
        self.ends_anew = False
        self.current = ChunkSteps(self._chunks())

    def _chunks(self) -> Generator[Chunk]:
        made = (
            chunks_of_dataset(self._in_rows, self._rows, self._size)
            if keras_private.is_of_dataset(self.adapter)
            else chunks_of_iterator(
                itertools.islice(self.adapter.get_numpy_iterator(), self._needed()), self._rows
            )
        )
        with contextlib.closing(made):
            for chunk in made:
                # What it is filled up with is 0, which is no mistake.
                yield replace(chunk, doubtful=self.is_doubtful(chunk.arrays))

    @functools.cached_property
    def _in_rows(self) -> tf.data.Dataset:
        return rows_of_batches(self._dataset, self._rows, self._size, self._needed())

    def _needed(self) -> int | None:
        """Return how many batches are needed at the most: no more are asked for."""
        return self.count if self.asked is None else self.total_steps

    def shapes(self) -> Iterator[Block]:
        """Yield what an epoch begins with."""
        chunk = self.current.peek() if self.current else None
        if self.current and chunk:
            indices = np.zeros((self.current.most, self.current.size), np.int32)
            yield self.current.block(chunk, indices, 0)
            return
        size, rows = self._first_size or 1, self._rows
        zeros = keras.tree.map_structure(_nothing, as_arrays(self.spec))
        indices = np.zeros((steps_per_block(size, rows // size), size), np.int32)
        yield Block(pack([zeros], rows), tf.zeros(rows, tf.int64), indices, 0, True)

    def for_plan(self, plan: Plan) -> "BatchSource":
        """Refuse: the data decide how many steps there are."""
        raise NotImplementedError("batches that somebody else makes follow no plan")

    def close(self) -> None:
        """End what prepares chunks."""
        if self._begun is not None:
            self._begun.close()
        self._begun = None
        self.end_chunks()
        if self.ends_anew:
            self.begin_as_often_as_keras()

    def begin_as_often_as_keras(self) -> None:
        """Begin with a dataset and stop at once, as Keras does after an epoch of known length.

        A dataset that is shuffled anew in each pass counts how often it was begun.
        """
        self.ends_anew = False
        if keras_private.is_of_dataset(self.adapter):
            iter(self._dataset)

    def end_chunks(self) -> None:
        """End what prepares chunks; the next epoch begins with the data anew."""
        if self.current is not None:
            self.current.close()
        self.current = None


def _nothing(spec: tf.TensorSpec) -> Any:
    return np.zeros((0, *spec.shape[1:]), spec.dtype.as_numpy_dtype)


class _BatchSteps:
    """The steps of an epoch, as Keras counts them.

    With `steps_per_epoch` the data go on where the epoch before ended, and begin anew where they
    ran out; without, every epoch begins anew and ends with the data.
    """

    def __init__(self, source: BatchSource) -> None:
        self._source, self._done = source, 0
        self._ended: int | None = None
        source.adapter.on_epoch_begin()
        if source.current is None or source.asked is None:
            source.renew()

    def is_empty(self) -> bool:
        """Tell whether there is no batch."""
        current = self._source.current
        return current is None or current.peek() is None

    def next(self, most: int) -> Block | None:
        """Return the next steps, at most so many, or None at the end of the epoch."""
        source = self._source
        if source.current is None or self._done == source.asked:
            return None
        left = most if source.asked is None else min(most, source.asked - self._done)
        block = source.current.next(left)
        if block is None:
            self._ran_out()
            return None
        self._done += block.steps
        return block

    def _ran_out(self) -> None:
        source = self._source
        self._ended = self.taken()
        source.end_chunks()
        if source.asked is not None:
            warnings.warn(
                f"the data ran out after {self._done} of {source.asked} steps of an epoch; "
                "let them repeat, or ask for fewer steps",
                stacklevel=2,
            )
        elif not self._done:
            raise ValueError(NOTHING)

    def taken(self) -> int:
        """Return the steps since the data began."""
        current = self._source.current
        return (self._ended or self._done) if current is None else current.taken()

    def close(self) -> None:
        """End the epoch for the data too."""
        source = self._source
        is_over = self.taken() == source.count
        if source.asked is None or is_over:
            source.end_chunks()
        if source.asked is None and is_over:
            source.begin_as_often_as_keras()
        source.ends_anew = source.asked is not None and is_over
        source.adapter.on_epoch_end()
