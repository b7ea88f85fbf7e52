"""Plain `fit` against the fused engine on this machine, side by side.

Plain `fit` is the code of a user: arrays in float32, `batch_size`, no callbacks.
"""

import statistics
from dataclasses import dataclass

from kerasbatch.benchmark.timers import Benchmark, Speeds


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
        plain_compile_seconds: the first call of plain `fit`, less the time of its steps.
        fused_compile_seconds: the compilation of the fused engine.
        engine: `fused` or, if it cannot train this, `keras`.
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


def measure_engines(benchmark: Benchmark, size: int) -> EngineSpeeds:
    """Time both engines at a batch size, in turn.

    Args:
        benchmark: the model and data.
        size: the batch size.
    """
    plain, fused = benchmark.plain(size), benchmark.fused(size)
    rounds = benchmark.rounds([plain, fused])
    plain_speed, fused_speed = map(statistics.median, zip(*rounds, strict=True))
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
