"""The size of a benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BenchmarkSettings:
    """The size of a benchmark.

    Args:
        rounds: the rounds of every timer.
        round_seconds: the approximate duration of a round.
        min_steps: the smallest number of steps in a round, if a step is not slower than a round.
        dataset_steps: the steps of a round on a dataset.
        dataset_examples: the examples of a round on a dataset, if that means fewer steps.
        shuffle_buffer: the examples among which a dataset is shuffled.
    """

    rounds: int = 5
    round_seconds: float = 1.0
    min_steps: int = 5
    dataset_steps: int = 2000
    dataset_examples: int = 256_000
    shuffle_buffer: int = 10_000


DEFAULT_BENCHMARK = BenchmarkSettings()
