"""The private API of Keras and TensorFlow about data: adapters, and the batch sizes of datasets."""

import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras

from kerasbatch.engine.private_names import private

if TYPE_CHECKING:
    import tensorflow as tf


def is_dataset(value: Any) -> bool:
    """Return whether a value is a tf.data.Dataset, without an import of TensorFlow."""
    tensorflow: Any = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(value, tensorflow.data.Dataset)


def adapter(x: Any, *, steps: int | None, shuffle: bool, class_weight: Any) -> Any:
    """Return Keras' data adapter for data that are no arrays."""
    return private("get_data_adapter")(
        x, steps_per_epoch=steps, shuffle=shuffle, class_weight=class_weight
    )


def is_of_dataset(adapter: Any) -> bool:
    """Return whether an adapter reads a tf.data.Dataset."""
    return isinstance(adapter, private("TFDatasetAdapter"))


KEEPS_BATCHES = ("Prefetch", "Options", "Repeat", "Shuffle", "Take", "Skip", "Cache")
"""The operations of a dataset that leave its batches as they are, by the first word of a name."""


def _operations(dataset: "tf.data.Dataset") -> "Iterator[tf.data.Dataset]":
    """Yield the operations of a dataset, the last one first; operations on several end it."""
    operation: Any = dataset
    while operation is not None:
        yield operation
        operation = getattr(operation, "_input_dataset", None)


def _batch_size(operation: "tf.data.Dataset") -> int | None:
    """Return the batch size of a `batch` call, or None for another operation."""
    size = getattr(operation, "_batch_size", None)
    return None if size is None else int(size)


def stated_batch_size(dataset: "tf.data.Dataset") -> int | None:
    """Return the batch size of the last `batch` call of a dataset, or None.

    It is a hint: later operations may change the size.
    """
    sizes = map(_batch_size, _operations(dataset))
    return next((size for size in sizes if size is not None), None)


def stated_batch_sizes(dataset: "tf.data.Dataset") -> set[int]:
    """Return the batch sizes of the parts of a dataset that zips others, as far as they are stated.

    The size of a last `batch` call that follows the zip, or none, is a single one.
    """
    for operation in _operations(dataset):
        if (size := _batch_size(operation)) is not None:
            return {size}
        parts = operation._inputs() if hasattr(operation, "_inputs") else []
        if len(parts) > 1 and type(operation).__name__ == "_ZipDataset":
            return {size for part in parts for size in stated_batch_sizes(part)}
    return set()


def batches_are_even(dataset: "tf.data.Dataset") -> bool:
    """Return whether all arrays of a batch have one length, because `batch` made it."""
    for operation in _operations(dataset):
        if not type(operation).__name__.strip("_").startswith(KEEPS_BATCHES):
            return _batch_size(operation) is not None
    return False


def first_batches(adapter: Any) -> list[Any]:
    """Return the first one or two batches of a generator; none of other data.

    Keras has taken them out of the generator already, and yields them first.
    """
    if not isinstance(adapter, private("GeneratorDataAdapter")):
        return []
    return list(adapter._first_batches)


def first_batch_size(adapter: Any) -> int | None:
    """Return the size of the larger first batch of a generator; None of other data."""
    first = first_batches(adapter)
    return max((len(keras.tree.flatten(batch)[0]) for batch in first), default=None)


def put_back(adapter: Any, generator: Any) -> Any:
    """Return a generator with the batches that its adapter took out; other data unchanged."""
    if not isinstance(adapter, private("GeneratorDataAdapter")):
        return generator
    return (batch for batch in itertools.chain(adapter._first_batches, generator))
