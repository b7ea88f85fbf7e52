"""The shapes and sizes of the batches of a dataset."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import EngineSettings


def check_batch_spec(spec: Any) -> None:
    """Check that batches can be concatenated.

    Args:
        spec: TensorFlow's spec of a batch.

    Raises:
        ObstacleError: if they cannot.
    """
    for leaf in keras.tree.flatten(spec):
        if not isinstance(leaf, tf.TensorSpec):
            kind = type(leaf).__name__.removesuffix("Spec")
            raise ObstacleError(f"a batch holds a {kind}")
        if leaf.shape.rank is None or None in leaf.shape[1:]:
            advice = "fix it with dataset.map and tf.ensure_shape"
            raise ObstacleError(f"examples have no fixed shape ({leaf.shape}); {advice}")
        if leaf.shape.rank == 0:
            message = "a batch holds a number that is none of its examples"
            raise ObstacleError(f"{message} (is .batch(...) missing?)")
        if leaf.dtype in (tf.string, tf.variant, tf.resource):
            raise ObstacleError(f"a batch holds {leaf.dtype.name}s")


def with_fixed_shapes(dataset: tf.data.Dataset, inputs: Sequence[Any]) -> tf.data.Dataset:
    """Return a dataset whose examples have the shapes of a model's inputs, if these are known.

    TensorFlow does not know the lengths of the windows of a time series; the model does. A batch of
    another shape is an error, as it is in the model.

    Args:
        dataset: a dataset of batches.
        inputs: the inputs of the model, each with a shape; empty if unknown.
    """
    spec = dataset.element_spec
    leaves = keras.tree.flatten(spec[0] if isinstance(spec, tuple) else spec)
    are_tensors = all(isinstance(leaf, tf.TensorSpec) for leaf in keras.tree.flatten(spec))
    if not are_tensors or len(leaves) != len(inputs):
        return dataset
    shapes = [
        fixed if _is_fixed_by(leaf.shape, fixed := (None, *tensor.shape[1:])) else leaf.shape
        for leaf, tensor in zip(leaves, inputs, strict=True)
    ]
    if shapes == [leaf.shape for leaf in leaves]:
        return dataset

    def fix(*batch: Any) -> Any:
        x, *rest = batch
        fixed = [
            tf.ensure_shape(leaf, shape)
            for leaf, shape in zip(keras.tree.flatten(x), shapes, strict=True)
        ]
        packed = keras.tree.pack_sequence_as(x, fixed)
        return (packed, *rest) if isinstance(spec, tuple) else packed

    return dataset.map(fix)


def _is_fixed_by(shape: tf.TensorShape, fixed: tuple[int | None, ...]) -> bool:
    """Return whether a shape has unknown lengths that another one knows."""
    if shape.rank is None or None not in shape[1:]:
        return False
    return None not in fixed[1:] and shape.is_compatible_with(fixed)


def empty_batch(spec: Any) -> Arrays:
    """Return arrays without rows, of the shapes and types of a batch."""
    arrays: Arrays = keras.tree.map_structure(
        lambda leaf: np.zeros((0, *leaf.shape[1:]), leaf.dtype.as_numpy_dtype), spec
    )
    return arrays


def bytes_per_example(spec: Any) -> int:
    """Return the bytes of an example."""
    leaves = keras.tree.flatten(spec)
    return int(sum(np.prod(leaf.shape[1:], dtype=int) * leaf.dtype.size for leaf in leaves))


def rows_per_chunk(spec: Any, size: int | None, count: int | None, settings: EngineSettings) -> int:
    """Return the rows of a chunk; complete batches if their size is known.

    A chunk is small, because training waits for the first one, which may be slow.

    Args:
        spec: TensorFlow's spec of a batch.
        size: the examples of a batch, or None if unknown.
        count: the number of batches, or None.
        settings: the thresholds of the engine.
    """
    max_rows = max(1, settings.chunk_bytes // max(1, bytes_per_example(spec)))
    if size is None:
        return int(min(settings.unknown_size_rows, 2 ** int(np.log2(max_rows))))
    steps = min(
        settings.chunk_steps,
        max(settings.min_chunk_steps, settings.chunk_rows // size),
        max_rows // size,
    )
    return int(max(1, min(steps, count or steps)) * size)


def guaranteed_batch_size(spec: Any) -> int | None:
    """Return the size of all batches if TensorFlow guarantees one, or None.

    Args:
        spec: TensorFlow's spec of a batch.
    """
    sizes = {leaf.shape[0] for leaf in keras.tree.flatten(spec)}
    return sizes.pop() if len(sizes) == 1 else None
