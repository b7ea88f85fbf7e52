"""The batches of an example stream as a PyDataset, for plain `fit`."""

from collections.abc import Callable
from typing import Any

import keras

from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.types import Array


class OrderedBatches(keras.utils.PyDataset):
    """The batches of the current epoch, in our order.

    Args:
        stream: the examples and their order.
        epoch: returns the current epoch, from 1.
        is_tagged: whether a batch is (tags, arrays), instead of what Keras packs.
    """

    def __init__(self, stream: ExampleStream, epoch: Callable[[], int], *, is_tagged: bool) -> None:
        super().__init__()
        self._stream, self._epoch, self._is_tagged = stream, epoch, is_tagged
        self._order: tuple[int, Array] | None = None

    def __len__(self) -> int:
        """Return the number of batches of the current epoch."""
        return self._stream.steps(self._epoch())

    def __getitem__(self, number: int) -> Any:
        """Return a batch of the current epoch."""
        passes, first = self._stream.start(self._epoch())
        if self._order is None or self._order[0] != passes:
            self._order = passes, self._stream.order(passes)
        chosen = self._order[1][self._stream.plan.batches(first + number, 1)]
        packed = keras.utils.pack_x_y_sample_weight(*self._stream.batch(chosen))
        return (self._stream.tags[chosen], packed) if self._is_tagged else packed
