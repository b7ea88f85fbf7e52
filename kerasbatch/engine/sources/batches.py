"""Chunks of batches from a tf.data.Dataset.

The dataset defines the batches; this module only concatenates them. The order, the batch sizes and
the augmentation of the user are unchanged.
"""

from collections.abc import Generator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.chunks import Chunk, chunk_capacity, cut_rows, pack, round_up


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


def rows_of_batches(
    dataset: tf.data.Dataset, usual: int, size: int | None, needed: int | None
) -> tf.data.Dataset:
    """Return the rows of batches in groups of equal length, with prefetching.

    Args:
        dataset: a dataset of batches.
        usual: the rows of a chunk.
        size: the size of all batches, or None if unknown.
        needed: the largest number of batches, or None for all.
    """
    batches = dataset.take(-1 if needed is None else needed)
    # Sizes need a call per batch, which halves the speed of a dataset without any other work.
    rows = batches.map(_without_sizes if size else _with_sizes)
    return rows.rebatch(usual).prefetch(1)


def guaranteed_batch_size(spec: Any) -> int | None:
    """Return the size of all batches if TensorFlow guarantees one, or None.

    Args:
        spec: TensorFlow's spec of a batch.
    """
    sizes = {leaf.shape[0] for leaf in keras.tree.flatten(spec)}
    return sizes.pop() if len(sizes) == 1 else None


def chunks_of_dataset(
    rows_and_sizes: tf.data.Dataset, usual: int, size: int | None
) -> Generator[Chunk]:
    """Yield batches in chunks.

    Args:
        rows_and_sizes: the result of `rows_of_batches`.
        usual: the rows of a chunk.
        size: the size of all batches, or None if unknown.

    Raises:
        ValueError: if the batches are not of this size.
    """
    rest: list[tuple[Arrays, Any]] = []
    room = 0
    for arrays, *sizes in rows_and_sizes:
        count = len(keras.tree.flatten(arrays)[0])
        rest.append((arrays, sizes[0].numpy() if sizes else np.full(count, size)))
        room = room or chunk_capacity(usual, int(rest[0][1].max()))
        chunk, rest = _split_complete(rest, room)
        if chunk is not None:
            yield chunk
    if rest:
        raise ValueError(f"the last batch has fewer than the {size} examples that x says it has")


def _without_sizes(*batch: Any) -> tuple[Arrays]:
    """Return a batch without sizes; a pure pass-through costs nothing."""
    return (batch,)


def _with_sizes(*batch: Any) -> tuple[Arrays, tf.Tensor]:
    """Return a batch and, for each of its rows, the number of rows of the batch."""
    count = tf.shape(keras.tree.flatten(batch)[0])[0]
    return batch, tf.fill([count], count)


def _split_complete(
    parts: list[tuple[Arrays, Any]], room: int
) -> tuple[Chunk | None, list[tuple[Arrays, Any]]]:
    """Return the complete batches of some rows as a chunk, and the remaining rows."""
    row_sizes = np.concatenate([sizes for _, sizes in parts])
    sizes, end = list[int](), 0
    while end < len(row_sizes) and end + row_sizes[end] <= len(row_sizes):
        sizes.append(int(row_sizes[end]))
        end += sizes[-1]
    if not sizes:
        return None, parts
    arrays, last = parts[-1]
    kept = len(last) - (len(row_sizes) - end)
    padded = round_up(end, room)
    used = [part for part, _ in parts[:-1]] + [cut_rows(arrays, 0, kept)]
    rest = [(cut_rows(arrays, kept, len(last)), last[kept:])] if kept < len(last) else []
    if len(used) == 1 and kept == padded:
        return Chunk(arrays, sizes), rest  # without a copy
    return Chunk(pack(used, padded), sizes), rest
