"""The examples of a training and their order.

All engines take their batches from here, so all of them train on the same ones. Keras can neither
reorder nor merge them. Every example has a tag, a random number. The training step sums the tags of
its examples, and this checksum shows whether an epoch saw exactly the planned examples.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from kerasbatch.engine.options import Arrays
from kerasbatch.sampling import example_order
from kerasbatch.steps import Plan
from kerasbatch.types import Array, Sampling


@dataclass(frozen=True)
class ExampleStream:
    """The examples of a training and their order.

    Args:
        arrays: x, y and sample weights; every array has shape (n, ...).
        plan: the planned passes over all examples.
        seed: the seed of the order.
        sampling: the sampling method.
        scale: the factor of bytes in x, or None.
        steps_per_epoch: Keras' `steps_per_epoch` if an epoch is not a full pass: an epoch continues
            in the data after the previous one, and ends at the latest with the pass.
        requested_epochs: the epochs of `fit` if they are not full passes.
    """

    arrays: Arrays
    plan: Plan
    seed: int
    sampling: Sampling = "shuffle"
    scale: float | None = None
    steps_per_epoch: int | None = None
    requested_epochs: int | None = None
    identifies_examples: ClassVar[bool] = True

    @property
    def epochs(self) -> int:
        """The last epoch, as counted by `fit`."""
        return self.requested_epochs or self.plan.epochs

    @property
    def total_steps(self) -> int:
        """The steps of the complete training."""
        if self.steps_per_epoch is None:
            return self.plan.total_steps
        number, first = self.start(self.epochs)
        return (number - 1) * self.plan.steps_per_epoch + first + self.steps(self.epochs)

    def steps_after(self, epochs: int) -> int:
        """Return the steps of the training without its first `epochs`."""
        number, first = self.start(epochs + 1)
        return max(0, self.total_steps - (number - 1) * self.plan.steps_per_epoch - first)

    def _epochs_per_pass(self) -> int:
        per_epoch = self.steps_per_epoch or self.plan.steps_per_epoch
        return -(-self.plan.steps_per_epoch // per_epoch)

    def start(self, epoch: int) -> tuple[int, int]:
        """Return the pass of an epoch, both from 1, and the epoch's first step in it, from 0."""
        passes, part = divmod(epoch - 1, self._epochs_per_pass())
        return passes + 1, part * (self.steps_per_epoch or 0)

    def steps(self, epoch: int) -> int:
        """Return the number of steps of an epoch (from 1)."""
        number, first = self.start(epoch)
        remaining = self.plan.epoch_plan(number).steps - first
        return min(remaining, self.steps_per_epoch or remaining)

    def ends_early(self, epoch: int) -> bool:
        """Return whether the data end before an epoch (from 1) has its `steps_per_epoch`."""
        return self.steps_per_epoch is not None and self.steps(epoch) < self.steps_per_epoch

    def order(self, number: int) -> Array:
        """Return the examples of a pass (from 1), in their order."""
        n = self.plan.train_examples
        order = example_order(n, seed=self.seed, epoch=number, sampling=self.sampling)
        return order[: self.plan.examples_per_epoch]

    def indices(self, number: int) -> Iterator[Array]:
        """Yield the examples of every batch of a pass (from 1)."""
        order = self.order(number)
        for batch in range(self.plan.steps_per_epoch):
            yield order[self.plan.batches(batch, 1)]

    @functools.cached_property
    def tags(self) -> Array:
        """The tags of the examples, shape (n,), int64; their sums wrap around."""
        random = np.random.RandomState(1)
        n = self.plan.train_examples
        return random.randint(-(2**63), 2**63 - 1, size=n, dtype=np.int64)

    def checksum(self, epoch: int, steps: int) -> int:
        """Return the planned sum of tags of the first `steps` steps of an epoch (from 1)."""
        number, first = self.start(epoch)
        examples = self.order(number)[self.plan.batches(first, steps)]
        return int(self.tags[examples].sum(dtype=np.int64))

    def batch(self, chosen: Array) -> Arrays:
        """Return some examples in the form of the model's input."""
        x, *rest = keras.tree.map_structure(lambda array: array[chosen], self.arrays)
        return (scale_inputs(x, self.scale), *rest)

    def tagged_batches(self, number: int) -> Iterator[tuple[Array, Arrays]]:
        """Yield the tags and the examples of every batch of a pass (from 1)."""
        for chosen in self.indices(number):
            yield self.tags[chosen], tuples(self.batch(chosen))


def tuples(value: Any) -> Any:
    """Return a structure with tuples for lists: tf.data treats a list as a single tensor."""
    if isinstance(value, dict):
        return {key: tuples(inner) for key, inner in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list | tuple) else value


def scale_inputs(x: Any, scale: float | None) -> Any:
    """Return x in the form of the model's input: bytes are scaled, if there is a factor."""
    if scale is None:
        return x
    return keras.tree.map_structure(lambda array: scale_bytes(array, scale), x)


def scale_bytes(array: Any, scale: float) -> Any:
    """Return an array of bytes times a factor as float32; any other array unchanged."""
    if array.dtype != np.uint8:
        return array
    return array.astype(np.float32) * np.float32(scale)
