"""Plain `fit` and Keras at its best against the fused engine on this machine, side by side.

Plain `fit` is the code of a user: arrays in float32, `batch_size`, no callbacks.
"""

import statistics
from dataclasses import dataclass

from kerasbatch.benchmark.timers import Benchmark, Speeds
from kerasbatch.benchmark.tuned_keras import fastest_keras


@dataclass(frozen=True)
class EngineSpeeds(Speeds):
    """Both engines, and Keras at its best, at one batch size; speeds are medians over the rounds.

    Args:
        batch_size: the batch size as a number.
        plain_steps_per_second: steps of plain `fit`.
        tuned_steps_per_second: steps of plain `fit` with the fastest setting of `compile`.
        fused_steps_per_second: steps of the fused engine.
        plain_examples_per_second: examples of plain `fit`.
        tuned_examples_per_second: examples of plain `fit` with that setting.
        fused_examples_per_second: examples of the fused engine.
        ratio: fused over plain, the median of the rounds' ratios.
        tuned_ratio: fused over the fastest setting, alike.
        plain_compile_seconds: the first call of plain `fit`, less the time of its steps.
        tuned_compile_seconds: the same with the fastest setting.
        fused_compile_seconds: the compilation of the fused engine.
        steps: the steps of the spec.
        plain_seconds: the time of plain `fit` for them, compilation included, without evaluations.
        tuned_seconds: the same with the fastest setting.
        fused_seconds: the same of the fused engine; None if it cannot train this.
        tuned_setting: the fastest setting, as arguments of `compile`.
        engine: `fused` or, if it cannot train this, `keras`.
        xla: whether its program was compiled with XLA.
        why: the reasons for both.
    """

    batch_size: int
    plain_steps_per_second: float
    tuned_steps_per_second: float
    fused_steps_per_second: float
    plain_examples_per_second: float
    tuned_examples_per_second: float
    fused_examples_per_second: float
    ratio: float
    tuned_ratio: float
    plain_compile_seconds: float
    tuned_compile_seconds: float
    fused_compile_seconds: float | None
    steps: int
    plain_seconds: float
    tuned_seconds: float
    fused_seconds: float | None
    tuned_setting: str
    engine: str
    xla: bool
    why: str


def measure_engines(benchmark: Benchmark, size: int) -> EngineSpeeds:
    """Time both engines and Keras at its best at a batch size, in turn.

    Args:
        benchmark: the model and data.
        size: the batch size.
    """
    plain, fused = benchmark.plain(size), benchmark.fused(size)
    setting, tuned = fastest_keras(benchmark, size)
    rounds = benchmark.rounds([plain, tuned, fused])
    plain_speed, tuned_speed, fused_speed = map(statistics.median, zip(*rounds, strict=True))
    steps, compilation = fused.planned_steps, fused.training.compile_seconds
    return EngineSpeeds(
        batch_size=size,
        plain_steps_per_second=plain_speed,
        tuned_steps_per_second=tuned_speed,
        fused_steps_per_second=fused_speed,
        plain_examples_per_second=plain_speed * size,
        tuned_examples_per_second=tuned_speed * size,
        fused_examples_per_second=fused_speed * size,
        ratio=statistics.median(fast / slow for slow, _, fast in rounds),
        tuned_ratio=statistics.median(fast / slow for _, slow, fast in rounds),
        plain_compile_seconds=plain.compile_seconds,
        tuned_compile_seconds=tuned.compile_seconds,
        fused_compile_seconds=compilation,
        steps=steps,
        plain_seconds=plain.compile_seconds + steps / plain_speed,
        tuned_seconds=tuned.compile_seconds + steps / tuned_speed,
        fused_seconds=None if compilation is None else compilation + steps / fused_speed,
        tuned_setting=str(setting),
        engine=fused.training.name,
        xla=fused.training.jit_compile,
        why=fused.training.why,
    )
