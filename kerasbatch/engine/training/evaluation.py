"""Evaluation of a model on arrays, in steps of equal size in every engine for equal sums."""

from collections.abc import Iterator

import keras

from kerasbatch.array_files import is_memory_mapped
from kerasbatch.engine import keras_fit
from kerasbatch.engine.backend import Program
from kerasbatch.engine.blocks import Logs
from kerasbatch.engine.device import bytes_of, cast_for_device, is_mapped, to_device
from kerasbatch.engine.model_state import preserve
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.chunks import cut_rows, steps_per_chunk


class ArrayEvaluation:
    """Runs Keras' test step over arrays.

    Args:
        model: a built, compiled model.
        program: its compiled functions.
        arrays: x, y and sample weights.
        size: the examples of one step; None chooses.
        settings: the thresholds of the engine.

    Attributes:
        size: the examples of one step.
        resident: the arrays on the device; None if they are large and in files.
    """

    def __init__(
        self,
        model: keras.Model,
        program: Program,
        arrays: Arrays,
        size: int | None = None,
        settings: EngineSettings = DEFAULT_SETTINGS,
    ) -> None:
        self._model, self._program, self._arrays = model, program, arrays
        self._settings = settings
        self.size = size or rows_at_once(arrays, settings)
        in_files = stays_in_files(arrays, settings)
        self.resident = None if in_files else to_device(cast_for_device(arrays))
        self._has_keras_metrics = keras_fit.has_keras_metrics(model)

    def compile(self) -> None:
        """Compile `measure`, unless that is done."""
        if (
            self.resident is None
            or not self._has_keras_metrics
            or not self._program.is_evaluation_compiled(self.resident, self.size)
        ):
            self.measure()

    def __call__(self) -> Logs:
        """Reset the metrics, and evaluate the model; return the last logs."""
        if self.resident is not None and self._has_keras_metrics:
            return self._program.evaluate(self.resident, self.size, "reset")
        self._model.reset_metrics()
        if self.resident is not None:
            return self._program.evaluate(self.resident, self.size)
        logs: Logs = {}
        for part in device_parts(self._arrays, self.size, self._settings):
            logs = self._program.evaluate(part, self.size)
        return logs

    def measure(self) -> dict[str, float]:
        """Evaluate the model, and preserve its metrics."""
        if self.resident is not None and self._has_keras_metrics:
            return _numbers(self._program.evaluate(self.resident, self.size, "keep"))
        with preserve(self._model.metrics_variables):
            return _numbers(self())


def _numbers(logs: Logs) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}


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
