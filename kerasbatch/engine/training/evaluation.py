"""Evaluation of a model on arrays, in steps of equal size in every engine for equal sums."""

from collections.abc import Callable, Iterator

import keras

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.engine.device import bytes_of, cast_for_device, is_mapped, to_device
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.chunks import cut_rows, steps_per_chunk
from kerasbatch.engine.training.evaluation_loop import Logs
from kerasbatch.engine.training.program import Program


def measurer(
    program: Program,
    arrays: Arrays,
    size: int | None = None,
    settings: EngineSettings = DEFAULT_SETTINGS,
) -> Callable[[], Logs]:
    """Return a function that runs Keras' test step over arrays and returns the last logs.

    Args:
        program: the compiled steps of the model.
        arrays: x, y and sample weights.
        size: the examples of one step; None chooses.
        settings: the thresholds of the engine.
    """
    rows = size or rows_at_once(arrays, settings)
    if not stays_in_files(arrays, settings):
        resident = to_device(cast_for_device(arrays))
        return lambda: program.evaluate(resident, rows)

    def evaluate_parts() -> Logs:
        logs: Logs = {}
        for part in device_parts(arrays, rows, settings):
            logs = program.evaluate(part, rows)
        return logs

    return evaluate_parts


def rows_at_once(arrays: Arrays, settings: EngineSettings = DEFAULT_SETTINGS) -> int:
    """Return the number of examples in one evaluation step."""
    total = _examples(arrays)
    example_bytes = max(1, bytes_of(arrays) // total)
    max_rows = settings.evaluation_bytes // example_bytes
    return _nearest_divisor(total, max(1, min(settings.evaluation_batch, max_rows)))


def stays_in_files(arrays: Arrays, settings: EngineSettings = DEFAULT_SETTINGS) -> bool:
    """Return whether to evaluate arrays in parts, because they are large and in files."""
    leaves = keras.tree.flatten(arrays)
    in_files = any(is_memory_mapped(leaf) and not is_mapped(leaf) for leaf in leaves)
    return in_files and bytes_of(arrays) > settings.chunk_bytes


def device_parts(
    arrays: Arrays, size: int, settings: EngineSettings = DEFAULT_SETTINGS
) -> Iterator[Arrays]:
    """Yield parts of arrays on the device; each part holds complete steps.

    Args:
        arrays: x, y and sample weights.
        size: the examples of one step.
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


def _nearest_divisor(rows: int, target: int) -> int:
    """Return a batch size for evaluation: a divisor of `rows` near `target`, or `target` itself."""
    for size in sorted(
        range(max(1, target // 2), 2 * target + 1), key=lambda size: abs(size - target)
    ):
        if rows % size == 0:
            return size
    return min(target, rows)
