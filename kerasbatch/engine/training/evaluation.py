"""Sizes of evaluation steps; the same in every engine, so that sums are the same."""

from collections.abc import Iterator

import keras

from kerasbatch.array_files import in_a_file
from kerasbatch.engine.device import bytes_of, cast_for_device, is_mapped, to_device
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.chunks import cut_rows, steps_per_chunk


def rows_at_once(arrays: Arrays, settings: EngineSettings = DEFAULT_SETTINGS) -> int:
    """Return the number of examples to measure at once."""
    total = _examples(arrays)
    example_bytes = max(1, bytes_of(arrays) // total)
    fitting = settings.evaluation_bytes // example_bytes
    return _even_divisor(total, max(1, min(settings.evaluation_batch, fitting)))


def stays_in_files(arrays: Arrays, settings: EngineSettings = DEFAULT_SETTINGS) -> bool:
    """Return whether arrays are measured in parts: they lie in files, and a copy is large."""
    leaves = keras.tree.flatten(arrays)
    in_files = any(in_a_file(leaf) and not is_mapped(leaf) for leaf in leaves)
    return in_files and bytes_of(arrays) > settings.chunk_bytes


def device_parts(
    arrays: Arrays, size: int, settings: EngineSettings = DEFAULT_SETTINGS
) -> Iterator[Arrays]:
    """Yield parts of arrays on the device, whole steps each.

    Args:
        arrays: x, y and sample weights.
        size: examples of one step.
        settings: the thresholds of the engine.
    """
    total = _examples(arrays)
    steps = steps_per_chunk(
        bytes_of(arrays) // total, size, settings.chunk_bytes, settings.chunk_steps
    )
    for first in range(0, total, size * steps):
        yield to_device(cast_for_device(cut_rows(arrays, first, first + size * steps)))


def _examples(arrays: Arrays) -> int:
    return len(keras.tree.flatten(arrays)[0])


def _even_divisor(rows: int, near: int) -> int:
    """Return a batch size for evaluation: a divisor of `rows` near `near`, or `near` itself."""
    for size in sorted(range(max(1, near // 2), 2 * near + 1), key=lambda size: abs(size - near)):
        if rows % size == 0:
            return size
    return min(near, rows)
