"""The examples of a dataset as it yields them: in its own order, read anew in every epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.chunks import cut_rows
from kerasbatch.engine.sources.example_stream import ExampleStream, scale_inputs
from kerasbatch.engine.sources.source import EpochSteps
from kerasbatch.engine.sources.streamed import StreamedSource
from kerasbatch.errors import EngineError
from kerasbatch.types import Array


@dataclass(frozen=True)
class UserStream(ExampleStream):
    """Examples whose order belongs to a dataset; nobody can identify them.

    Args:
        arrays: the first examples, of the shapes and types of all.
        plan: the planned passes over the dataset.
        seed: not used.
        read: returns the examples of a new pass, several at a time, in the form of `arrays`.
    """

    read: Callable[[], Iterator[Arrays]] = lambda: iter(())
    identifies_examples: ClassVar[bool] = False

    def order(self, number: int) -> Array:
        """Return the positions of the examples of a pass in the dataset."""
        return np.arange(self.plan.examples_per_epoch)

    def batch(self, chosen: Array) -> Arrays:
        """Return some of the first examples in the form of the model's input."""
        x, *rest = keras.tree.map_structure(lambda array: array[chosen % len(array)], self.arrays)
        return (scale_inputs(x, self.scale), *rest)

    def tagged_batches(self, number: int) -> Iterator[tuple[Array, Arrays]]:
        """Yield the examples of every batch of a new pass; their tags are 0."""
        rows = ExamplePass(self)
        for chosen in self.indices(number):
            x, *rest = rows.take(len(chosen))
            yield np.zeros(len(chosen), np.int64), (scale_inputs(x, self.scale), *rest)


class ExamplePass:
    """One pass over a dataset, which hands out so many examples at a time.

    Args:
        stream: the dataset.
    """

    def __init__(self, stream: UserStream) -> None:
        self._parts, self._total = stream.read(), stream.plan.train_examples
        self._rest: list[Arrays] = []
        self._taken = 0

    def take(self, count: int) -> Arrays:
        """Return the next examples.

        Raises:
            EngineError: if the dataset has fewer, or after the last one more, than planned.
        """
        parts, rows = self._rest, sum(map(_length, self._rest))
        while rows < count:
            part = next(self._parts, None)
            if part is None:
                ended = (
                    f"the dataset ended after {self._taken + rows:,} of {self._total:,} examples"
                )
                raise EngineError(f"{ended}; every epoch needs all of them")
            parts.append(part)
            rows += _length(part)
        joined: Arrays = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
        self._rest = [cut_rows(joined, count, rows)] if rows > count else []
        self._taken += count
        if self._taken == self._total and (self._rest or next(self._parts, None) is not None):
            message = f"the dataset yields more than the {self._total:,} examples that it said"
            raise EngineError(f"{message}; write examples: N")
        return cut_rows(joined, 0, count)


def _length(part: Arrays) -> int:
    return len(keras.tree.flatten(part)[0])


class UserSource(StreamedSource):
    """The steps over a dataset as it yields its examples.

    Args:
        stream: the dataset.
        settings: the thresholds of the engine.
    """

    name = "dataset"

    def __init__(self, stream: UserStream, settings: EngineSettings) -> None:
        super().__init__(stream, settings, settings.chunk_bytes)
        self._user_stream = stream

    def begin(self, epoch: int) -> EpochSteps:
        """Begin an epoch, counted from 1, with a new pass."""
        self._pass = ExamplePass(self._user_stream)
        return super().begin(epoch)

    def gather(self, slot: int, chosen: Array) -> None:
        """Fill one of the two chunks with the next examples; `chosen` are their positions."""
        self._tags[slot][: len(chosen)] = 0
        examples: Any = self._pass.take(len(chosen))
        pairs = zip(
            keras.tree.flatten(examples), keras.tree.flatten(self._memory[slot]), strict=True
        )
        for array, memory in pairs:
            if array.shape[1:] != memory.shape[1:]:
                message = f"an example has shape {array.shape[1:]}, the first ones had "
                raise EngineError(f"{message}{memory.shape[1:]}")
            memory[: len(chosen)] = array
