"""The examples of a training and the order in which they are seen.

Every engine takes its batches from here, so all of them see the same ones. Keras can neither
reorder nor merge them. With every example goes its tag, a random number of its own. The training
step adds up the tags that it meets, and their sum shows whether an epoch saw the examples that it
should have seen, each as often as it should.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.options import Arrays
from kerasbatch.sampling import example_order
from kerasbatch.steps import Plan
from kerasbatch.types import Array, Sampling


@dataclass(frozen=True)
class ExampleStream:
    """The examples of a training and their order.

    Args:
        arrays: x, y and sample weights; every array has shape (n, ...).
        plan: the counts, of passes over all examples.
        seed: the seed of the order.
        sampling: how examples are drawn.
        scale: what x is multiplied by on its way to the model, or None.
        steps_per_epoch: Keras' `steps_per_epoch`, where an epoch is no whole pass: an epoch goes
            on in the data where the last one ended, and ends where a pass does.
        epochs_asked: the epochs of `fit`, where they are no whole passes.
    """

    arrays: Arrays
    plan: Plan
    seed: int
    sampling: Sampling = "shuffle"
    scale: float | None = None
    steps_per_epoch: int | None = None
    epochs_asked: int | None = None

    @property
    def epochs(self) -> int:
        """The epoch to end with, as `fit` counts epochs."""
        return self.epochs_asked or self.plan.epochs

    @property
    def total_steps(self) -> int:
        """The steps of the whole training."""
        if self.steps_per_epoch is None:
            return self.plan.total_steps
        number, first = self.start(self.epochs)
        return (number - 1) * self.plan.steps_per_epoch + first + self.steps(self.epochs)

    def _epochs_of_a_pass(self) -> int:
        per_epoch = self.steps_per_epoch or self.plan.steps_per_epoch
        return -(-self.plan.steps_per_epoch // per_epoch)

    def start(self, epoch: int) -> tuple[int, int]:
        """Return in which pass over the data (from 1) an epoch (from 1) is, and where in it.

        The latter is its first step there, from 0.
        """
        whole, part = divmod(epoch - 1, self._epochs_of_a_pass())
        return whole + 1, part * (self.steps_per_epoch or 0)

    def steps(self, epoch: int) -> int:
        """Return how many steps an epoch (from 1) takes."""
        number, first = self.start(epoch)
        left = self.plan.epoch_plan(number).steps - first
        return min(left, self.steps_per_epoch or left)

    def ends_early(self, epoch: int) -> bool:
        """Tell whether the data end before an epoch (from 1) has its `steps_per_epoch`."""
        return self.steps_per_epoch is not None and self.steps(epoch) < self.steps_per_epoch

    def order(self, number: int) -> Array:
        """Return the examples that a pass (from 1) uses, in their order."""
        n = self.plan.train_examples
        whole = example_order(n, seed=self.seed, epoch=number, sampling=self.sampling)
        return whole[: self.plan.examples_per_epoch]

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
        """Return the sum of the tags that the first steps of an epoch (from 1) should meet."""
        number, first = self.start(epoch)
        seen = self.order(number)[self.plan.batches(first, steps)]
        return int(self.tags[seen].sum(dtype=np.int64))

    def batch(self, chosen: Array) -> Arrays:
        """Return some examples as the model gets them."""
        x, *rest = keras.tree.map_structure(lambda array: array[chosen], self.arrays)
        return (scale_inputs(x, self.scale), *rest)

    def dataset(self, epoch: Callable[[], int]) -> tf.data.Dataset:
        """Return the batches of one pass, as (tags, arrays); each iteration asks which it is.

        Args:
            epoch: tells, when an iteration begins, in which epoch (from 1) the training is.
        """

        def batches() -> Iterator[tuple[Array, Arrays]]:
            for chosen in self.indices(self.start(epoch())[0]):
                yield self.tags[chosen], _tuples(self.batch(chosen))

        signature = keras.tree.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
            (self.tags[:1], _tuples(self.batch(np.arange(1)))),
        )
        stream = tf.data.Dataset.from_generator(batches, output_signature=signature)
        counted = tf.data.experimental.assert_cardinality(self.plan.steps_per_epoch)
        return stream.apply(counted).prefetch(2)


def _tuples(value: Any) -> Any:
    """Turn lists into tuples: tf.data takes a list for a single tensor."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def scale_inputs(x: Any, scale: float | None) -> Any:
    """Return x as the model gets it."""
    if scale is None:
        return x
    return keras.tree.map_structure(lambda a: a.astype(np.float32) * np.float32(scale), x)
