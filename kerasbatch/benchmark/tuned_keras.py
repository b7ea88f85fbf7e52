"""Keras at its best: plain `fit` with the fastest of a few settings of `compile`.

Keras can run several steps in one call of its train function (`steps_per_execution`), and compile
them with XLA (`jit_compile`). Both are tried, since neither is always faster.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from kerasbatch.benchmark.timers import Benchmark, PlainTimer

STEPS_PER_EXECUTION = (10, 100)


@dataclass(frozen=True)
class Setting:
    """A setting of `compile`.

    Args:
        steps_per_execution: the steps of one call.
        jit_compile: whether to compile with XLA.
    """

    steps_per_execution: int
    jit_compile: bool

    def apply(self, model: keras.Model) -> None:
        """Set it in a compiled model that was not trained."""
        model.steps_per_execution = self.steps_per_execution
        model.jit_compile = self.jit_compile

    def __str__(self) -> str:
        """Return the arguments of `compile`."""
        return f"steps_per_execution={self.steps_per_execution}, jit_compile={self.jit_compile}"


def settings_to_try(steps_per_epoch: int) -> Iterator[Setting]:
    """Yield settings; more steps in a call than an epoch has gain nothing."""
    counts = [count for count in STEPS_PER_EXECUTION if count <= steps_per_epoch] or [1]
    for jit_compile in (False, True):
        for count in counts:
            yield Setting(count, jit_compile)


def fastest_keras(benchmark: Benchmark, size: int) -> tuple[Setting, PlainTimer]:
    """Return the fastest setting of plain `fit`, and its timer.

    Args:
        benchmark: the model and data.
        size: the batch size.
    """
    steps_per_epoch = benchmark.data.count // size
    tried = {each: _timer(benchmark, size, each) for each in settings_to_try(steps_per_epoch)}
    timers = {setting: timer for setting, timer in tried.items() if timer is not None}
    best = max(timers, key=lambda setting: timers[setting].speed())
    return best, timers[best]


def _timer(benchmark: Benchmark, size: int, setting: Setting) -> PlainTimer | None:
    """Return the timer of a setting, or None if XLA cannot compile the model."""
    try:
        return benchmark.plain(size, setting.apply)
    except Exception:
        if setting.jit_compile:
            return None
        raise
