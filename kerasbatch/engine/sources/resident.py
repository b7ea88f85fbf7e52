"""A source of steps over resident data, which are completely on the device."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kerasbatch.engine.backend import backend
from kerasbatch.engine.blocks import Block
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.source import EpochSteps, StreamSource, rows_of_steps
from kerasbatch.steps import Plan


class ResidentSource(StreamSource):
    """Data that are completely on the device.

    Args:
        stream: the examples and their order.
        arrays: its arrays on the device.
    """

    name = "resident"

    def __init__(self, stream: ExampleStream, arrays: Arrays) -> None:
        super().__init__(stream, stream.plan.whole_batches)
        self.arrays, self.tags = arrays, backend().tags(stream.tags)

    @property
    def has_short_epochs(self) -> bool:
        """True if an epoch is a pass whose full batches fit into one block."""
        stream = self._stream
        return stream.steps_per_epoch is None and self.max_steps == stream.plan.whole_batches

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1."""
        return _ResidentSteps(self, epoch)

    def shapes(self) -> Iterator[Block]:
        """Yield blocks of all shapes of the training."""
        return self.shapes_over(self.arrays, self.tags)

    def for_plan(self, plan: Plan) -> "ResidentSource":
        """Return a source of the same data for another plan."""
        return ResidentSource(replace(self.stream, plan=plan), self.arrays)


class _ResidentSteps:
    """The steps of an epoch over resident data."""

    def __init__(self, source: ResidentSource, epoch: int) -> None:
        self._source, stream = source, source.stream
        self._pass, self._batch = stream.start(epoch)
        self._order = stream.order(self._pass).astype(np.int32)
        self._end = self._batch + stream.steps(epoch)

    def next(self, max_steps: int) -> Block | None:
        """Return at most `max_steps` next steps, or None at the end of the epoch."""
        if self._batch == self._end:
            return None
        source, plan = self._source, self._source.stream.plan
        full_batches = plan.whole_batches - self._batch
        limits = max_steps, source.max_steps, self._end - self._batch, full_batches
        steps = min(limits) if full_batches > 0 else 1
        chosen = self._order[plan.batches(self._batch, steps)]
        self._batch += steps
        if full_batches <= 0:
            return Block(source.arrays, source.tags, chosen[None], 1, False)
        indices = rows_of_steps(chosen, source.max_steps, plan.batch_size)
        return Block(source.arrays, source.tags, indices, steps, True)

    def taken(self) -> int:
        """Return the number of steps of the run so far, including earlier epochs."""
        return self._source.stream.plan.step_after(self._pass - 1, self._batch) - 1

    def close(self) -> None:
        """Do nothing: no step is prepared in advance."""
