"""The orders of whole epochs on the device, drawn ahead by a thread."""

from collections.abc import Generator
from typing import Any

import numpy as np

from kerasbatch.engine.device import to_device
from kerasbatch.engine.sources.chunks import prefetch
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.source import MAX_BLOCK_EXAMPLES

FIRST_ROWS, MAX_ROWS = 16, 1024
"""The number of epochs whose orders are drawn at first; it doubles up to the second one."""


class EpochOrders:
    """The orders of consecutive epochs.

    Args:
        stream: the examples and their order; every epoch is a pass.
        first: the first epoch, from 1.
        last: the last one.
    """

    def __init__(self, stream: ExampleStream, first: int, last: int) -> None:
        self._stream, self._next, self._last = stream, first, last
        self._count = FIRST_ROWS
        self._first, self._rows = first, np.zeros((0, 0), np.int32)
        self._groups: Generator[Any] = prefetch(self._draw)

    def at(self, epoch: int) -> tuple[Any, int]:
        """Return orders, shape (rows, n), and the row of an epoch; epochs ascend.

        Raises:
            ValueError: if the orders of that epoch are gone, or never come.
        """
        while epoch >= self._first + len(self._rows):
            self._first += len(self._rows)
            self._rows = next(self._groups)
        if epoch < self._first:
            raise ValueError(f"the order of epoch {epoch} is gone")
        return self._rows, epoch - self._first

    def close(self) -> None:
        """End the thread."""
        self._groups.close()

    def _draw(self) -> Any:
        limit = max(1, MAX_BLOCK_EXAMPLES // self._stream.plan.examples_per_epoch)
        epochs = range(self._next, min(self._next + min(self._count, limit), self._last + 1))
        self._count = min(2 * self._count, MAX_ROWS)
        self._next = epochs.stop
        if not epochs:
            return None
        orders = [self._stream.order(epoch) for epoch in epochs]
        return to_device((np.stack(orders).astype(np.int32),))[0]
