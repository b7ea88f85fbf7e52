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
from keras.src.trainers.data_adapters import data_adapter_utils

from kerasbatch.order import example_order
from kerasbatch.shared_types import Array, Sampling
from kerasbatch.steps import Plan

Arrays = tuple[Any, ...]
"""(x,), (x, y) or (x, y, sample_weight); each an array, or a list or dict of arrays."""


@dataclass(frozen=True)
class Feed:
    """The examples of a training and their order.

    Args:
        arrays: x, y and sample weights; every array has shape (n, ...).
        plan: the counts.
        seed: the seed of the order.
        sampling: how examples are drawn.
        scale: what x is multiplied by on its way to the model, or None.
        examples: how many examples there are, where epochs have a length of their own; an epoch
            then goes on in the data where the last one ended.
    """

    arrays: Arrays
    plan: Plan
    seed: int
    sampling: Sampling = "shuffle"
    scale: float | None = None
    examples: int | None = None

    @property
    def total(self) -> int:
        """How many examples there are."""
        return self.examples or self.plan.train_examples

    def order(self, epoch: int) -> Array:
        """Return the examples that an epoch (from 1) uses, in their order."""
        length = self.plan.examples_per_epoch
        if self.examples is None:
            return self._pass(epoch)[:length]
        skipped, start = divmod((epoch - 1) * length, self.examples)
        passes = 1 + (start + length - 1) // self.examples
        stream = [self._pass(skipped + number) for number in range(1, passes + 1)]
        return np.concatenate(stream)[start : start + length]

    def _pass(self, number: int) -> Array:
        return example_order(self.total, seed=self.seed, epoch=number, sampling=self.sampling)

    def indices(self, first_epoch: Callable[[], int] = lambda: 1) -> Iterator[Array]:
        """Yield the examples of every batch, epoch after epoch."""
        size = self.plan.batch_size
        for epoch in range(first_epoch(), self.plan.epochs + 1):
            order = self.order(epoch)
            for start in range(0, len(order), size):
                yield order[start : start + size]

    @functools.cached_property
    def tags(self) -> Array:
        """The tags of the examples, shape (n,), int64; their sums wrap around."""
        random = np.random.RandomState(1)
        return random.randint(-(2**63), 2**63 - 1, size=self.total, dtype=np.int64)

    def tag_sum(self, epoch: int, steps: int) -> int:
        """Return the sum of the tags that the first steps of an epoch (from 1) should meet."""
        seen = self.order(epoch)[: steps * self.plan.batch_size]
        return int(self.tags[seen].sum(dtype=np.int64))

    def batch(self, chosen: Array) -> Arrays:
        """Return some examples as the model gets them."""
        x, *rest = keras.tree.map_structure(lambda array: array[chosen], self.arrays)
        return (scaled(x, self.scale), *rest)

    def dataset(self, first_epoch: Callable[[], int] = lambda: 1) -> tf.data.Dataset:
        """Return every batch of the training as one stream of (tags, arrays).

        Args:
            first_epoch: tells, when the stream begins, with which epoch.
        """

        def batches() -> Iterator[tuple[Array, Arrays]]:
            for chosen in self.indices(first_epoch):
                yield self.tags[chosen], _tuples(self.batch(chosen))

        signature = keras.tree.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
            (self.tags[:1], _tuples(self.batch(np.arange(1)))),
        )
        return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)


def packed(arrays: Arrays) -> Any:
    """Return some examples as Keras hands them to a step: x alone is no tuple."""
    return data_adapter_utils.pack_x_y_sample_weight(*arrays)


def _tuples(value: Any) -> Any:
    """Turn lists into tuples: tf.data takes a list for a single tensor."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def scaled(x: Any, scale: float | None) -> Any:
    """Return x as the model gets it."""
    if scale is None:
        return x
    return keras.tree.map_structure(lambda a: a.astype(np.float32) * np.float32(scale), x)
