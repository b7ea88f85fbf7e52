"""Arrays that do not lie on the device: a thread gathers the examples of the next steps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.array_files import changed_file, file_states
from kerasbatch.engine.device import aligned, bytes_of, in_place, type_on_device
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.chunks import (
    Chunk,
    ChunkSteps,
    prefetch,
    steps_per_chunk,
)
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.source import Block, EpochSteps, StreamSource
from kerasbatch.errors import EngineError
from kerasbatch.steps import Plan
from kerasbatch.types import Array


class StreamedSource(StreamSource):
    """Examples that are gathered in our order, chunk by chunk.

    Args:
        stream: the examples and their order.
        settings: the thresholds of the engine.
        chunk_bytes: the bytes of a chunk, about.
    """

    name = "streamed"

    def __init__(self, stream: ExampleStream, settings: EngineSettings, chunk_bytes: int) -> None:
        size, n = stream.plan.batch_size, stream.plan.train_examples
        leaves = keras.tree.flatten(stream.arrays)
        example_bytes = bytes_of(stream.arrays) // n
        steps = min(
            steps_per_chunk(example_bytes, size, chunk_bytes, settings.chunk_steps),
            stream.plan.steps_per_epoch,
        )
        super().__init__(stream, min(steps, stream.plan.whole_batches))
        self._settings, self._chunk_bytes = settings, chunk_bytes
        self.steps, self.rows = steps, steps * size
        # Two: one in use, one that is being filled.
        self._memory = [keras.tree.map_structure(self._room, stream.arrays) for _ in range(2)]
        self._tags = [aligned((self.rows,), np.int64) for _ in range(2)]
        self._files = file_states(leaves)

    def _room(self, array: Any) -> Array:
        return aligned((self.rows, *array.shape[1:]), type_on_device(array))

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1."""
        number, first = self._stream.start(epoch)
        end = first + self._stream.steps(epoch)
        taken = self._stream.plan.step_after(number - 1, first) - 1
        made = prefetch(_Gatherer(self, number, first, end))
        return ChunkSteps(made, taken, self._stream.plan.batch_size, self.max_steps)

    def shapes(self) -> Iterator[Block]:
        """Yield the blocks that will come."""
        return self.shapes_over(*self.on_device(0))

    def on_device(self, which: int) -> tuple[Any, tf.Tensor]:
        """Return one of the two chunks, and its tags, as they are now."""
        arrays = keras.tree.map_structure(in_place, self._memory[which])
        return arrays, in_place(self._tags[which])

    def gather(self, which: int, chosen: Array) -> None:
        """Fill one of the two chunks with examples.

        Raises:
            EngineError: if a file that they come from is not what it was.
        """
        if changed := changed_file(self._files):
            raise EngineError(changed)
        np.take(self._stream.tags, chosen, out=self._tags[which][: len(chosen)])
        pairs = zip(
            keras.tree.flatten(self._stream.arrays),
            keras.tree.flatten(self._memory[which]),
            strict=True,
        )
        for array, memory in pairs:
            taken = memory[: len(chosen)]
            if array.dtype == memory.dtype:
                # Without "clip", NumPy would fill a copy first, for the case of an error.
                np.take(np.asarray(array), chosen, axis=0, out=taken, mode="clip")
            else:
                taken[:] = np.asarray(array)[chosen]

    @property
    def megabytes(self) -> float:
        """The size of a chunk; two of them lie in memory."""
        return bytes_of(self._memory[0]) / 1e6

    def for_plan(self, plan: Plan) -> "StreamedSource":
        """Return the same data for another plan."""
        return StreamedSource(replace(self._stream, plan=plan), self._settings, self._chunk_bytes)


class _Gatherer:
    """Makes the chunks of an epoch, from step `first` of pass `number` up to step `end`."""

    def __init__(self, source: StreamedSource, number: int, first: int, end: int) -> None:
        self._source, self._next, self._end = source, first, end
        self._order = source.stream.order(number)
        self._made = 0

    def __call__(self) -> Chunk | None:
        """Return the next chunk, or None at the end of the epoch."""
        source, plan = self._source, self._source.stream.plan
        count = min(source.steps, self._end - self._next)
        if count == 0:
            return None
        chosen = self._order[plan.batches(self._next, count)]
        which = self._made % 2
        source.gather(which, chosen)
        sizes = [plan.batch_size] * count
        sizes[-1] -= count * plan.batch_size - len(chosen)
        self._next, self._made = self._next + count, self._made + 1
        arrays, tags = source.on_device(which)
        return Chunk(arrays, sizes, tags)
