"""The batches of an example stream as a tf.data.Dataset, for plain `fit`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.sources.example_stream import ExampleStream, tuples


def plain_data(
    stream: ExampleStream, epoch: Callable[[], int], *, is_tagged: bool
) -> tf.data.Dataset:
    """Return the batches of one pass: (tags, arrays), or the arrays as Keras packs them.

    Args:
        stream: the examples and their order.
        epoch: returns the current epoch (from 1), at the start of each iteration.
        is_tagged: whether a batch has the tags of its examples.
    """
    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
        (stream.tags[:1], tuples(stream.batch(np.arange(1)))),
    )
    batches = tf.data.Dataset.from_generator(
        lambda: stream.tagged_batches(stream.start(epoch())[0]), output_signature=signature
    )
    with_length = tf.data.experimental.assert_cardinality(stream.plan.steps_per_epoch)
    dataset = batches.apply(with_length).prefetch(2)
    return dataset if is_tagged else dataset.map(_without_tags)


def _without_tags(tags: Any, arrays: Any) -> Any:
    return keras.utils.pack_x_y_sample_weight(*arrays)
