"""A source of steps over streamed arrays: a thread gathers the examples of the next steps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kerasbatch.array_files import changed_file_message, file_states
from kerasbatch.engine.backend import backend
from kerasbatch.engine.blocks import Block
from kerasbatch.engine.device import aligned, bytes_of, in_place, type_on_device
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.chunks import (
    Chunk,
    ChunkSteps,
    prefetch,
    steps_per_chunk,
)
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.source import EpochSteps, StreamSource
from kerasbatch.errors import EngineError
from kerasbatch.steps import Plan
from kerasbatch.types import Array


class StreamedSource(StreamSource):
    """Examples of a stream, gathered chunk by chunk.

    Args:
        stream: the examples and their order.
        settings: the thresholds of the engine.
        chunk_bytes: the approximate bytes of a chunk.
    """

    name = "streamed"

    def __init__(self, stream: ExampleStream, settings: EngineSettings, chunk_bytes: int) -> None:
        size = stream.plan.batch_size
        leaves = keras.tree.flatten(stream.arrays)
        example_bytes = bytes_of(stream.arrays) // len(leaves[0])
        steps = min(
            steps_per_chunk(example_bytes, size, chunk_bytes, settings.chunk_steps),
            stream.plan.steps_per_epoch,
        )
        super().__init__(stream, min(steps, stream.plan.whole_batches))
        self._settings, self._chunk_bytes = settings, chunk_bytes
        self.steps, self.rows = steps, steps * size
        # Two chunks: one in use, and one to fill.
        self._memory = [keras.tree.map_structure(self._allocate, stream.arrays) for _ in range(2)]
        self._tags = [aligned((self.rows,), np.int64) for _ in range(2)]
        self._files = file_states(leaves)

    def _allocate(self, array: Any) -> Array:
        return aligned((self.rows, *array.shape[1:]), type_on_device(array))

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1."""
        number, first = self._stream.start(epoch)
        end = first + self._stream.steps(epoch)
        taken = self._stream.plan.step_after(number - 1, first) - 1
        chunks = prefetch(_Gatherer(self, number, first, end))
        return ChunkSteps(chunks, taken, self._stream.plan.batch_size, self.max_steps)

    def shapes(self) -> Iterator[Block]:
        """Yield blocks of all shapes of the training."""
        return self.shapes_over(*self.on_device(0))

    def on_device(self, slot: int) -> tuple[Any, Any]:
        """Return the arrays and tags of one of the two chunks."""
        arrays = keras.tree.map_structure(in_place, self._memory[slot])
        return arrays, backend().tags(self._tags[slot])

    def gather(self, slot: int, chosen: Array) -> None:
        """Fill one of the two chunks with examples.

        Raises:
            EngineError: if a file of the data has changed.
        """
        if changed := changed_file_message(self._files):
            raise EngineError(changed)
        np.take(self._stream.tags, chosen, out=self._tags[slot][: len(chosen)])
        pairs = zip(
            keras.tree.flatten(self._stream.arrays),
            keras.tree.flatten(self._memory[slot]),
            strict=True,
        )
        for array, memory in pairs:
            rows = memory[: len(chosen)]
            if array.dtype == memory.dtype:
                # Without "clip", NumPy would fill a temporary copy first.
                np.take(np.asarray(array), chosen, axis=0, out=rows, mode="clip")
            else:
                rows[:] = np.asarray(array)[chosen]

    @property
    def megabytes(self) -> float:
        """The size of a chunk in megabytes; two chunks are in memory."""
        return bytes_of(self._memory[0]) / 1e6

    def for_plan(self, plan: Plan) -> "StreamedSource":
        """Return a source of the same data for another plan."""
        return StreamedSource(replace(self._stream, plan=plan), self._settings, self._chunk_bytes)


class _Gatherer:
    """Makes the chunks of an epoch, from step `first` of pass `number` up to step `end`."""

    def __init__(self, source: StreamedSource, number: int, first: int, end: int) -> None:
        self._source, self._next, self._end = source, first, end
        self._order = source.stream.order(number)
        self._chunks_made = 0

    def __call__(self) -> Chunk | None:
        """Return the next chunk, or None at the end of the epoch."""
        source, plan = self._source, self._source.stream.plan
        count = min(source.steps, self._end - self._next)
        if count == 0:
            return None
        chosen = self._order[plan.batches(self._next, count)]
        slot = self._chunks_made % 2
        source.gather(slot, chosen)
        sizes = [plan.batch_size] * count
        sizes[-1] -= count * plan.batch_size - len(chosen)
        self._next += count
        self._chunks_made += 1
        arrays, tags = source.on_device(slot)
        return Chunk(arrays, sizes, tags)
