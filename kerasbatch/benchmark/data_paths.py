"""How data come to the device, side by side: as a whole, streamed, and as a tf.data.Dataset.

Five ways to train the same model: plain `fit` on arrays, the fused engine on resident and on
streamed arrays, plain `fit` on a dataset that is shuffled and batched, and `kerasbatch.fit` on it.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.benchmark.engines import (
    LEAST_STEPS,
    ROUNDS,
    FusedTimer,
    PlainTimer,
    Speeds,
    build_for_batch_size,
    numeric_batch_sizes,
    plain_arrays,
)
from kerasbatch.data.run_data import RunData, load_data
from kerasbatch.engine.fit import api as drop_in
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import BatchSize

MANY_STEPS, MANY_EXAMPLES = 2000, 256_000
"""A round on a dataset is a training, short but whole: so long, or so many, if steps are slow."""
SHUFFLED = 10_000
"""Examples among which a dataset is shuffled."""


@dataclass(frozen=True)
class DataSpeeds(Speeds):
    """Steps per second at one batch size, and ratios; medians over the rounds.

    Args:
        batch_size: the batch size as a number.
        plain_steps_per_second: plain `fit` on arrays.
        resident_steps_per_second: the fused engine, the data on the device.
        streamed_steps_per_second: the fused engine, the data streamed to it.
        dataset_steps_per_second: plain `fit` on a tf.data.Dataset.
        stacked_steps_per_second: `kerasbatch.fit` on the same dataset.
        streamed_to_resident: their ratio.
        stacked_to_dataset: their ratio.
    """

    batch_size: int
    plain_steps_per_second: float
    resident_steps_per_second: float
    streamed_steps_per_second: float
    dataset_steps_per_second: float
    stacked_steps_per_second: float
    streamed_to_resident: float
    stacked_to_dataset: float


def measure_data_paths(
    spec: Spec, access: Access, batch_sizes: list[BatchSize]
) -> Iterator[DataSpeeds]:
    """Measure all five ways at every batch size, in turn, round after round.

    Args:
        spec: a single-run spec; its data, model, optimizer, loss and metrics are used.
        access: what the spec may reach.
        batch_sizes: numbers from 1 to n, or `full`.

    Raises:
        SpecError: if the data cannot be had, or a batch size is out of range.
    """
    loaded = load_data(spec, access)
    arrays = plain_arrays(loaded)
    for size in numeric_batch_sizes(batch_sizes, loaded):
        yield _measure(spec, access, loaded, arrays, size)


def _measure(
    spec: Spec, access: Access, loaded: RunData, arrays: tuple[Any, ...], size: int
) -> DataSpeeds:
    def built() -> keras.Model:
        return build_for_batch_size(spec, access, loaded, size)

    timers: list[PlainTimer | FusedTimer | DatasetTimer] = [
        PlainTimer(built(), arrays, size),
        FusedTimer(built(), loaded, size, spec),
        FusedTimer(built(), loaded, size, spec, streamed=True),
        DatasetTimer(built(), arrays, size, _plain_fit),
        DatasetTimer(built(), arrays, size, _stacked_fit),
    ]
    rounds = [[timer.speed() for timer in timers] for _ in range(ROUNDS)]
    speeds = [statistics.median(column) for column in zip(*rounds, strict=True)]
    plain, resident, streamed, dataset, stacked = speeds
    return DataSpeeds(
        batch_size=size,
        plain_steps_per_second=plain,
        resident_steps_per_second=resident,
        streamed_steps_per_second=streamed,
        dataset_steps_per_second=dataset,
        stacked_steps_per_second=stacked,
        streamed_to_resident=statistics.median(each[2] / each[1] for each in rounds),
        stacked_to_dataset=statistics.median(each[4] / each[3] for each in rounds),
    )


def _plain_fit(model: keras.Model, data: tf.data.Dataset) -> None:
    model.fit(data, verbose=0, shuffle=False)


def _stacked_fit(model: keras.Model, data: tf.data.Dataset) -> None:
    drop_in.fit(model, data, engine="fused", verbose=0)


class DatasetTimer:
    """Trains on a dataset that is shuffled, batched and repeated, for so many steps.

    Args:
        built: the compiled model.
        arrays: x and y, and the weights of examples where there are any.
        size: the batch size.
        fit: trains a model on a dataset.
    """

    def __init__(
        self, built: keras.Model, arrays: tuple[Any, ...], size: int, fit: Callable[[Any, Any], Any]
    ) -> None:
        self._model, self._fit = built, fit
        rows = tf.data.Dataset.from_tensor_slices(arrays)
        self._batches = rows.shuffle(SHUFFLED).repeat().batch(size, drop_remainder=True)
        self._count = max(LEAST_STEPS, min(MANY_STEPS, MANY_EXAMPLES // size))
        self.steps_per_second(self._count)  # compiles

    def speed(self) -> float:
        """Train for one round; return the steps per second."""
        return self.steps_per_second(self._count)

    def steps_per_second(self, count: int) -> float:
        """Take so many steps; the time to fill the dataset's buffer counts."""
        data = self._batches.take(count).apply(tf.data.experimental.assert_cardinality(count))
        begin = time.perf_counter()
        self._fit(self._model, data)
        return count / (time.perf_counter() - begin)
