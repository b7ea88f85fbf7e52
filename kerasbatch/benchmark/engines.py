"""Plain `fit` against the fused engine on this machine, side by side.

Plain `fit` is what a user would write: arrays in float32, `batch_size`, no callbacks. Both train
the spec's model on its data, in turn, round after round, after compilation; what is told are
medians, for machines are noisy.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import keras

from kerasbatch.data.run_data import RunData, load_data
from kerasbatch.engine.options import FitOptions
from kerasbatch.engine.sources.example_stream import ExampleStream, scale_inputs
from kerasbatch.engine.training.start import start
from kerasbatch.models.build import build_model
from kerasbatch.planning import plan, plan_budget
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import BatchSize

ROUNDS = 5
ROUND_SECONDS = 1.0
"""Seconds that one engine trains in one round, about."""
LEAST_STEPS = 5


class Speeds:
    """Fields that were measured at one batch size."""

    def row(self: Any) -> dict[str, Any]:
        """Return them as a row of a table."""
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class EngineSpeeds(Speeds):
    """Both engines at one batch size; speeds are medians over the rounds.

    Args:
        batch_size: the batch size as a number.
        plain_steps_per_second: steps of plain `fit`.
        fused_steps_per_second: steps of the fused engine.
        plain_examples_per_second: examples of plain `fit`.
        fused_examples_per_second: examples of the fused engine.
        ratio: fused over plain, the median of the rounds' ratios.
        plain_compile_seconds: what the first call of plain `fit` took longer than its steps.
        fused_compile_seconds: the compilation of the fused engine.
        engine: `fused` or, where it cannot work, `keras`.
        xla: whether its program was compiled with XLA.
        why: the reasons for both.
    """

    batch_size: int
    plain_steps_per_second: float
    fused_steps_per_second: float
    plain_examples_per_second: float
    fused_examples_per_second: float
    ratio: float
    plain_compile_seconds: float
    fused_compile_seconds: float | None
    engine: str
    xla: bool
    why: str


def measure_engines(
    spec: Spec, access: Access, batch_sizes: list[BatchSize]
) -> Iterator[EngineSpeeds]:
    """Measure both engines at every batch size, one after the other.

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
        yield _measure_size(spec, access, loaded, arrays, size)


def numeric_batch_sizes(batch_sizes: list[BatchSize], loaded: RunData) -> list[int]:
    """Return batch sizes as numbers.

    Raises:
        SpecError: if one is out of range.
    """
    n = len(loaded.x_train)
    return [plan(n, batch_size=size, epochs=1).batch_size for size in batch_sizes]


def plain_arrays(loaded: RunData) -> tuple[Any, ...]:
    """Return what plain `fit` gets: x and y, and the weights of examples where there are any."""
    return (scale_inputs(loaded.x_train, loaded.scale), *loaded.train[1:])


def _measure_size(
    spec: Spec, access: Access, loaded: RunData, arrays: tuple[Any, ...], size: int
) -> EngineSpeeds:
    plain = PlainTimer(build_for_batch_size(spec, access, loaded, size), arrays, size)
    fused = FusedTimer(build_for_batch_size(spec, access, loaded, size), loaded, size, spec)
    rounds = [(plain.speed(), fused.speed()) for _ in range(ROUNDS)]
    plain_speed = statistics.median(speed for speed, _ in rounds)
    fused_speed = statistics.median(speed for _, speed in rounds)
    return EngineSpeeds(
        batch_size=size,
        plain_steps_per_second=plain_speed,
        fused_steps_per_second=fused_speed,
        plain_examples_per_second=plain_speed * size,
        fused_examples_per_second=fused_speed * size,
        ratio=statistics.median(fast / slow for slow, fast in rounds),
        plain_compile_seconds=plain.compile_seconds,
        fused_compile_seconds=fused.training.compile_seconds,
        engine=fused.training.name,
        xla=fused.training.jit_compile,
        why=fused.training.why,
    )


def _steps_of_a_round(
    steps_per_second: Callable[[int], float], seconds: float | None = None
) -> int:
    """Try longer and longer trainings; return the steps that a round has time for."""
    seconds, trial = seconds or ROUND_SECONDS, 1
    while (speed := steps_per_second(trial)) * seconds / 4 > trial:
        trial *= 4
    return 1 if speed * seconds < 1 else max(LEAST_STEPS, int(seconds * speed))


def build_for_batch_size(spec: Spec, access: Access, loaded: RunData, size: int) -> keras.Model:
    """Build and compile the spec's model for a batch size."""
    rate = resolve_learning_rate(spec, plan(len(loaded.x_train), batch_size=size, epochs=1))
    return build_model(spec, loaded, rate, access)


class PlainTimer:
    """`model.fit(x, y, batch_size=...)`, on as many examples as a round has time for.

    Args:
        built: the compiled model.
        arrays: x and y, and the weights of examples where there are any.
        size: the batch size.
        seconds: that a round takes, about; None for ROUND_SECONDS.
    """

    def __init__(
        self,
        built: keras.Model,
        arrays: tuple[Any, ...],
        size: int,
        seconds: float | None = None,
    ) -> None:
        self._model, self._arrays, self._size = built, arrays, size
        first = 1 / self.steps_per_second(1)
        self._count = _steps_of_a_round(self.steps_per_second, seconds)
        self.compile_seconds = max(first - 1 / self.steps_per_second(1), 0.0)

    def speed(self) -> float:
        """Train for one round; return the steps per second."""
        return self.steps_per_second(self._count)

    def steps_per_second(self, count: int) -> float:
        """Take about so many steps, in as few epochs as the data allow."""
        whole = plan(len(self._arrays[0]), batch_size=self._size, epochs=1)
        per_epoch = min(count, max(1, whole.whole_batches))
        epochs = max(1, round(count / per_epoch))
        rows = whole.batches(0, per_epoch)
        x, y, *weight = (array[rows] for array in self._arrays)
        options = {"sample_weight": weight[0]} if weight else {}
        begin = time.perf_counter()
        self._model.fit(x, y, batch_size=self._size, epochs=epochs, verbose=0, **options)
        return per_epoch * epochs / (time.perf_counter() - begin)


class FusedTimer:
    """What `kerasbatch run` would do, for as many steps as a round has time for.

    Args:
        built: the compiled model.
        loaded: its data.
        size: the batch size.
        spec: a single-run spec.
        seconds: that a round takes, about; None for ROUND_SECONDS.
        streamed: whether the data go to the device chunk by chunk.
    """

    def __init__(
        self,
        built: keras.Model,
        loaded: RunData,
        size: int,
        spec: Spec,
        seconds: float | None = None,
        *,
        streamed: bool = False,
    ) -> None:
        self._plan = plan_budget(len(loaded.x_train), size, spec.budget, spec.partial_batch)
        feed = ExampleStream(loaded.train, self._plan, spec.seed, spec.sampling, loaded.scale)
        self.training = start(built, feed, engine=spec.engine, streamed=streamed)
        self._count = _steps_of_a_round(self.steps_per_second, seconds)

    def speed(self) -> float:
        """Train for one round; return the steps per second."""
        return self.steps_per_second(self._count)

    def steps_per_second(self, count: int) -> float:
        """Take so many steps, with the program that is compiled already."""
        training = self.training.for_plan(self._plan.with_budget("steps", count))
        begin = time.perf_counter()
        training.fit(FitOptions())
        return count / (time.perf_counter() - begin)
