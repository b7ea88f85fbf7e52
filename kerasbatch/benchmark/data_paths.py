"""The paths of data to the device, side by side: resident, streamed, and as a tf.data.Dataset.

Five ways to train the same model: plain `fit` on arrays, the fused engine on resident and on
streamed arrays, plain `fit` on a dataset that is shuffled and batched, and `kerasbatch.fit` on it.
"""

import statistics
from dataclasses import dataclass

import keras
import tensorflow as tf

from kerasbatch.benchmark.timers import Benchmark, Speeds
from kerasbatch.engine.fit import api as drop_in


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


def measure_data_paths(benchmark: Benchmark, size: int) -> DataSpeeds:
    """Time all five ways at a batch size, in turn.

    Args:
        benchmark: the model and data.
        size: the batch size.
    """
    rounds = benchmark.rounds(
        [
            benchmark.plain(size),
            benchmark.fused(size),
            benchmark.fused(size, streamed=True),
            benchmark.dataset(size, _plain_fit),
            benchmark.dataset(size, _stacked_fit),
        ]
    )
    columns = zip(*rounds, strict=True)
    plain, resident, streamed, dataset, stacked = map(statistics.median, columns)
    return DataSpeeds(
        batch_size=size,
        plain_steps_per_second=plain,
        resident_steps_per_second=resident,
        streamed_steps_per_second=streamed,
        dataset_steps_per_second=dataset,
        stacked_steps_per_second=stacked,
        streamed_to_resident=statistics.median(speed[2] / speed[1] for speed in rounds),
        stacked_to_dataset=statistics.median(speed[4] / speed[3] for speed in rounds),
    )


def _plain_fit(model: keras.Model, data: tf.data.Dataset) -> None:
    model.fit(data, verbose=0, shuffle=False)


def _stacked_fit(model: keras.Model, data: tf.data.Dataset) -> None:
    drop_in.fit(model, data, engine="fused", shuffle=False, verbose=0)
