"""Timers of training, to be compared side by side, and the benchmark that makes them.

Every timer trains the model of a spec on its data, in rounds, after compilation. Machines are
noisy: compare medians of rounds in turn.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import keras
import tensorflow as tf

from kerasbatch import array_trees
from kerasbatch.benchmark.settings import DEFAULT_BENCHMARK, BenchmarkSettings
from kerasbatch.data.run_data import RunData, load_data
from kerasbatch.engine.options import FitOptions
from kerasbatch.engine.sources.example_stream import ExampleStream, scale_inputs
from kerasbatch.engine.training.start import start
from kerasbatch.errors import SpecError
from kerasbatch.models.build import build_model
from kerasbatch.planning import plan, plan_budget
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import BatchSize


class Timer(Protocol):
    """Trains in rounds of a fixed number of steps."""

    def speed(self) -> float:
        """Train for one round; return the steps per second."""


class Speeds:
    """Base of dataclasses whose fields were measured at one batch size."""

    def row(self: Any) -> dict[str, Any]:
        """Return the fields as a row of a table."""
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


class Benchmark:
    """The model and data of a spec, for timers at any batch size.

    Args:
        spec: a single-run spec; its data, model, optimizer, loss and metrics are used.
        access: the files and code that the spec may use.
        settings: the size of the benchmark.
        data: the data of the spec, if they are loaded already.

    Raises:
        SpecError: if the data cannot be loaded.
    """

    def __init__(
        self,
        spec: Spec,
        access: Access,
        settings: BenchmarkSettings = DEFAULT_BENCHMARK,
        data: RunData | None = None,
    ) -> None:
        self.spec, self._access, self._settings = spec, access, settings
        self.data = data or load_data(spec, access)
        if self.data.stream_examples is not None:
            message = "needs all examples at hand; leave it out to time or to advise"
            raise SpecError.at(("data", "stream"), message)
        self.arrays = (scale_inputs(self.data.x_train, self.data.scale), *self.data.train[1:])

    def numeric_sizes(self, batch_sizes: Sequence[BatchSize]) -> list[int]:
        """Return batch sizes as numbers.

        Raises:
            SpecError: if one is out of range.
        """
        n = self.data.count
        return [plan(n, batch_size=size, epochs=1).batch_size for size in batch_sizes]

    def plain(
        self, size: int, setting: Callable[[keras.Model], None] = lambda model: None
    ) -> "PlainTimer":
        """Return the timer of plain `fit` on arrays; `setting` changes the compiled model."""
        model = self._model(self.spec, size)
        setting(model)
        return PlainTimer(model, self.arrays, size, self._settings)

    def fused(
        self, size: int, *, streamed: bool = False, precision: str | None = None
    ) -> "FusedTimer":
        """Return the timer of `kerasbatch run`, in the precision of the spec or another."""
        spec = self.spec
        if precision is not None:
            spec = spec.model_copy(update={"precision": precision})
        model = self._model(spec, size)
        return FusedTimer(model, self.data, size, spec, self._settings, streamed=streamed)

    def dataset(self, size: int, fit: Callable[[Any, Any], Any]) -> "DatasetTimer":
        """Return the timer of a `fit` on a dataset."""
        return DatasetTimer(self._model(self.spec, size), self.arrays, size, fit, self._settings)

    def rounds(self, timers: Sequence[Timer]) -> list[list[float]]:
        """Return the speeds of all timers, one list for each round."""
        return [[timer.speed() for timer in timers] for _ in range(self._settings.rounds)]

    def _model(self, spec: Spec, size: int) -> keras.Model:
        return build_for_batch_size(spec, self._access, self.data, size)


def build_for_batch_size(spec: Spec, access: Access, data: RunData, size: int) -> keras.Model:
    """Build and compile the spec's model for a batch size."""
    rate = resolve_learning_rate(spec, plan(data.count, batch_size=size, epochs=1))
    return build_model(spec, data, rate, access)


def _steps_per_round(steps_per_second: Callable[[int], float], settings: BenchmarkSettings) -> int:
    """Try longer and longer trainings; return the steps that fit into a round.

    Every call takes some time besides its steps, with plain `fit` as much as hundreds of them. The
    first call, of one step, tells how much; a round has its seconds for the steps beyond.
    """
    seconds, call, trial = settings.round_seconds, 1 / steps_per_second(1), 1
    if call >= seconds:
        return 1
    beyond = 0.0
    while beyond < seconds / 4:
        trial *= 4
        beyond = trial / steps_per_second(trial) - call
    return max(settings.min_steps, int(seconds * (trial - 1) / beyond))


class PlainTimer:
    """Times `model.fit(x, y, batch_size=...)`, on as many examples as a round has time for.

    Args:
        model: the compiled model.
        arrays: x and y, and the weights of examples if there are any.
        size: the batch size.
        settings: the size of the benchmark.
    """

    def __init__(
        self,
        model: keras.Model,
        arrays: tuple[Any, ...],
        size: int,
        settings: BenchmarkSettings = DEFAULT_BENCHMARK,
    ) -> None:
        self._model, self._arrays, self._size = model, arrays, size
        first = 1 / self.steps_per_second(1)
        self._count = _steps_per_round(self.steps_per_second, settings)
        self.compile_seconds = max(first - 1 / self.steps_per_second(1), 0.0)

    def speed(self) -> float:
        """Train for one round; return the steps per second."""
        return self.steps_per_second(self._count)

    def steps_per_second(self, count: int) -> float:
        """Take about `count` steps, in as few epochs as the data allow."""
        epoch = plan(array_trees.length(self._arrays[1]), batch_size=self._size, epochs=1)
        per_epoch = min(count, max(1, epoch.whole_batches))
        epochs = max(1, round(count / per_epoch))
        rows = epoch.batches(0, per_epoch)
        x, y, *weight = (array_trees.rows(array, rows) for array in self._arrays)
        options = {"sample_weight": weight[0]} if weight else {}
        begin = time.perf_counter()
        self._model.fit(x, y, batch_size=self._size, epochs=epochs, verbose=0, **options)
        return per_epoch * epochs / (time.perf_counter() - begin)


class FusedTimer:
    """Times the training of `kerasbatch run`, for as many steps as a round has time for.

    Args:
        model: the compiled model.
        data: its data.
        size: the batch size.
        spec: a single-run spec.
        settings: the size of the benchmark.
        streamed: whether the data are streamed to the device in chunks.
    """

    def __init__(
        self,
        model: keras.Model,
        data: RunData,
        size: int,
        spec: Spec,
        settings: BenchmarkSettings = DEFAULT_BENCHMARK,
        *,
        streamed: bool = False,
    ) -> None:
        self._plan = plan_budget(data.count, size, spec.length, spec.partial_batch)
        self.planned_steps = self._plan.total_steps
        stream = ExampleStream(data.train, self._plan, spec.seed, spec.sampling, data.scale)
        self.training = start(model, stream, engine=spec.engine, streamed=streamed)
        self._count = _steps_per_round(self.steps_per_second, settings)

    def speed(self) -> float:
        """Train for one round; return the steps per second."""
        return self.steps_per_second(self._count)

    def steps_per_second(self, count: int) -> float:
        """Take `count` steps with the compiled program."""
        training = self.training.for_plan(self._plan.with_budget("steps", count))
        begin = time.perf_counter()
        training.fit(FitOptions())
        return count / (time.perf_counter() - begin)


class DatasetTimer:
    """Times a `fit` on a dataset that is shuffled, batched and repeated.

    Args:
        model: the compiled model.
        arrays: x and y, and the weights of examples if there are any.
        size: the batch size.
        fit: trains a model on a dataset.
        settings: the size of the benchmark.
    """

    def __init__(
        self,
        model: keras.Model,
        arrays: tuple[Any, ...],
        size: int,
        fit: Callable[[Any, Any], Any],
        settings: BenchmarkSettings = DEFAULT_BENCHMARK,
    ) -> None:
        self._model, self._fit = model, fit
        rows = tf.data.Dataset.from_tensor_slices(arrays)
        shuffled = rows.shuffle(settings.shuffle_buffer).repeat()
        self._batches = shuffled.batch(size, drop_remainder=True)
        steps = min(settings.dataset_steps, settings.dataset_examples // size)
        self._count = max(settings.min_steps, steps)
        self.speed()  # compiles

    def speed(self) -> float:
        """Train for one round, with the time to fill the shuffle buffer; return steps/s."""
        count = self._count
        data = self._batches.take(count).apply(tf.data.experimental.assert_cardinality(count))
        begin = time.perf_counter()
        self._fit(self._model, data)
        return count / (time.perf_counter() - begin)
