"""Blocks of steps from batches of a dataset, generator or PyDataset, with epochs as in Keras."""

import contextlib
import functools
import itertools
import warnings
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import data_private
from kerasbatch.engine.blocks import Block
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.batches import (
    check_batch_spec,
    empty_batch,
    guaranteed_batch_size,
    rows_per_chunk,
    with_fixed_shapes,
)
from kerasbatch.engine.sources.chunks import Chunk, ChunkSteps, pack
from kerasbatch.engine.sources.dataset_chunks import chunks_of_dataset, rows_of_batches
from kerasbatch.engine.sources.iterator_chunks import as_arrays, chunks_of_iterator
from kerasbatch.engine.sources.source import EpochSteps, steps_per_block
from kerasbatch.steps import Plan

NO_BATCH = "x yields no batch; there is nothing to train on"


class BatchSource:
    """The batches of a tf.data.Dataset, a generator or a PyDataset.

    Args:
        adapter: Keras' own adapter for the data.
        epochs: the last epoch.
        steps_per_epoch: as in Keras, or None.
        total_steps: the remaining number of steps, or None if unknown.
        settings: the thresholds of the engine.
        inputs: the inputs of the model, with shapes; empty if unknown.
    """

    name = "stacked"
    stream = None

    def __init__(
        self,
        adapter: Any,
        epochs: int,
        steps_per_epoch: int | None,
        total_steps: int | None,
        settings: EngineSettings,
        inputs: Sequence[Any] = (),
    ) -> None:
        self.total_steps, self._settings = total_steps, settings
        self.adapter, self.requested_steps_per_epoch = adapter, steps_per_epoch
        dataset = adapter.get_tf_dataset()
        self._may_be_uneven = not data_private.batches_are_even(dataset)
        self._dataset = with_fixed_shapes(dataset, inputs)
        self.batches_per_pass: int | None = adapter.num_batches
        self.spec = self._dataset.element_spec
        self.as_tuples = isinstance(self.spec, tuple)
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch or self.batches_per_pass
        self.chunk_steps: ChunkSteps | None = None
        self._first_epoch: _BatchSteps | None = None
        self.restarts = False  # whether Keras would have restarted them for a next epoch
        self.attempted_step_effect: str | None = None  # for the warning

    @property
    def max_steps(self) -> int:
        """The largest number of steps in a block; 1 until the first batch arrives."""
        return max(1, self.chunk_steps.max_steps) if self.chunk_steps else 1

    def check_layout(self) -> None:
        """Raise ObstacleError if the batches cannot be concatenated."""
        check_batch_spec(self.spec)
        first = [keras.tree.flatten(batch) for batch in data_private.first_batches(self.adapter)]
        lengths = [{len(leaf) for leaf in leaves} for leaves in first]
        lengths.append({leaf.shape[0] for leaf in keras.tree.flatten(self.spec)})
        lengths.append(data_private.stated_batch_sizes(self._dataset))
        if any(len(batch_lengths) > 1 for batch_lengths in lengths):
            raise ObstacleError("the arrays of a batch are of different lengths")

    @property
    def batch_size(self) -> int | None:
        """The size of all batches if TensorFlow guarantees one, or None."""
        return guaranteed_batch_size(self.spec)

    @property
    def likely_size(self) -> int | None:
        """The size of most batches as far as anything says it, or None."""
        first = data_private.first_batch_size(self.adapter)
        return first or self.batch_size or data_private.stated_batch_size(self._dataset)

    @property
    def _rows(self) -> int:
        return rows_per_chunk(self.spec, self.likely_size, self.total_steps, self._settings)

    def open(self) -> None:
        """Begin the first epoch, up to the first batch; a generator is not advanced.

        Raises:
            ValueError: if there is no batch.
        """
        self.adapter.on_epoch_end()  # as Keras does before its first epoch
        if data_private.first_batches(self.adapter):
            return
        self._first_epoch = _BatchSteps(self)
        try:
            if self._first_epoch.is_empty():
                raise ValueError(NO_BATCH)
        except BaseException:
            self.close()
            raise

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch; `open` may have begun the first one."""
        first_epoch, self._first_epoch = self._first_epoch, None
        return first_epoch or _BatchSteps(self)

    def restart(self) -> None:
        """Restart the data."""
        self.close_chunks()
        self.restarts = False
        self.chunk_steps = ChunkSteps(self._chunks())

    def _chunks(self) -> Generator[Chunk]:
        chunks = (
            chunks_of_dataset(self._row_groups, self._rows, self.batch_size)
            if data_private.is_of_dataset(self.adapter)
            else chunks_of_iterator(
                itertools.islice(self.adapter.get_numpy_iterator(), self._max_batches()),
                self._rows,
                self._settings.chunk_seconds,
            )
        )
        with contextlib.closing(chunks):
            yield from chunks

    @functools.cached_property
    def _row_groups(self) -> tf.data.Dataset:
        return rows_of_batches(
            self._dataset, self._rows, self.batch_size, self._max_batches(), self._may_be_uneven
        )

    def _max_batches(self) -> int | None:
        """Return the largest number of batches to read, or None for all."""
        return self.batches_per_pass if self.requested_steps_per_epoch is None else self.total_steps

    def shapes(self) -> Iterator[Block]:
        """Yield a block of the shape of the first one, to compile for."""
        chunk = self.chunk_steps.peek() if self.chunk_steps else None
        if chunk and chunk.is_uneven:
            return
        if self.chunk_steps and chunk:
            indices = np.zeros((self.chunk_steps.max_steps, self.chunk_steps.size), np.int32)
            yield self.chunk_steps.block(chunk, indices, 0)
            return
        size, rows = data_private.first_batch_size(self.adapter) or 1, self._rows
        zeros = empty_batch(as_arrays(self.spec))
        indices = np.zeros((steps_per_block(size, rows // size), size), np.int32)
        yield Block(pack([zeros], rows), tf.zeros(rows, tf.int64), indices, 0, True)

    def for_plan(self, plan: Plan) -> "BatchSource":
        """Raise NotImplementedError: the data define the number of steps."""
        raise NotImplementedError("batches of a dataset follow no plan")

    def close(self) -> None:
        """End the preparation of chunks."""
        if self._first_epoch is not None:
            self._first_epoch.close()
        self._first_epoch = None
        self.close_chunks()
        if self.restarts:
            self.restart_as_keras()

    def restart_as_keras(self) -> None:
        """Start an iteration of a dataset and drop it, as Keras does after epochs of known length.

        A dataset that is reshuffled in each iteration counts its iterations.
        """
        self.restarts = False
        if data_private.is_of_dataset(self.adapter):
            iter(self._dataset)

    def close_chunks(self) -> None:
        """End the preparation of chunks; the next epoch restarts the data."""
        if self.chunk_steps is not None:
            self.chunk_steps.close()
        self.chunk_steps = None


class _BatchSteps:
    """The steps of an epoch, as Keras counts them.

    With `steps_per_epoch`, an epoch continues in the data after the previous one, and restarts them
    if they ran out. Without it, every epoch restarts the data and ends with them.
    """

    def __init__(self, source: BatchSource) -> None:
        self._source, self._done = source, 0
        self._ended: int | None = None
        source.adapter.on_epoch_begin()
        if source.chunk_steps is None or source.requested_steps_per_epoch is None:
            source.restart()

    def is_empty(self) -> bool:
        """Return whether there is no batch."""
        chunk_steps = self._source.chunk_steps
        return chunk_steps is None or chunk_steps.peek() is None

    def next(self, max_steps: int) -> Block | None:
        """Return at most `max_steps` next steps, or None at the end of the epoch."""
        source = self._source
        if source.chunk_steps is None or self._done == source.requested_steps_per_epoch:
            return None
        if source.requested_steps_per_epoch is not None:
            max_steps = min(max_steps, source.requested_steps_per_epoch - self._done)
        block = source.chunk_steps.next(max_steps)
        if block is None:
            self._end_early()
            return None
        self._done += block.steps
        return block

    def _end_early(self) -> None:
        source = self._source
        self._ended = self.taken()
        source.close_chunks()
        if source.requested_steps_per_epoch is not None:
            effect = source.attempted_step_effect
            warnings.warn(
                f"the data ran out after {self._done} of {source.requested_steps_per_epoch} steps "
                "of an epoch; let them repeat, or ask for fewer steps"
                f"{f'. Then {effect}, so later steps differ a little' if effect else ''}",
                stacklevel=2,
            )
        elif not self._done:
            raise ValueError(NO_BATCH)

    def taken(self) -> int:
        """Return the number of steps since the data were restarted."""
        chunk_steps = self._source.chunk_steps
        return (self._ended or self._done) if chunk_steps is None else chunk_steps.taken()

    def close(self) -> None:
        """End the epoch in the data as well."""
        source = self._source
        is_over = self.taken() == source.batches_per_pass
        if source.requested_steps_per_epoch is None or is_over:
            source.close_chunks()
        if source.requested_steps_per_epoch is None and is_over:
            source.restart_as_keras()
        source.restarts = source.requested_steps_per_epoch is not None and is_over
        source.adapter.on_epoch_end()
