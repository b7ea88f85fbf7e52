"""The estimated duration of a sweep: every program of it is timed for a second or two.

Compilation counts apart: a worker compiles a program once.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kerasbatch.benchmark.timers import FusedTimer
from kerasbatch.models.build import build_model
from kerasbatch.runs.prepare.checks import check_all
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.scheduler import makespan
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access

ROUNDS = 3
SHORTEST, LONGEST, LONGEST_OF_SEVERAL = 0.85, 1.4, 2.0
"""The times of a training, in terms of its time when it was tried alone. Workers share caches and
memory. All of ten sweeps of 8 to 53 seconds on two cores were inside (`docs/how-to/sweeps.md`)."""


@dataclass(frozen=True)
class ProgramTiming:
    """The measured times of one program.

    Args:
        runs: its runs.
        speeds: the steps per second of each round.
        build_seconds: the time in which its model is built.
        compile_seconds: the time of its compilation, or None if the engine has none of its own.
        evaluate_seconds: the time of one evaluation.
        engine: the engine.
    """

    runs: tuple[PreparedRun, ...]
    speeds: tuple[float, ...]
    build_seconds: float
    compile_seconds: float | None
    evaluate_seconds: float
    engine: str

    @property
    def steps_per_second(self) -> float:
        """The speed of the fastest round."""
        return max(self.speeds)

    def seconds(self, run: PreparedRun) -> tuple[float, float]:
        """Return the times of a run of this program at its fastest and at its slowest round.

        Compilation is not part of them.
        """
        every = run.single.spec.evaluate_every
        evaluations = 1 + sum(1 for _ in run.plan.evaluation_steps(every.kind, every.amount))
        others = self.build_seconds + evaluations * self.evaluate_seconds
        steps = run.plan.total_steps
        return others + steps / self.steps_per_second, others + steps / min(self.speeds)


def time_programs(
    singles: Sequence[SingleRun], access: Access, notices: list[str]
) -> Iterator[ProgramTiming]:
    """Check all runs, and time each of their programs.

    Args:
        singles: the runs.
        access: the files and code that their specs may use.
        notices: receives messages for the user.

    Raises:
        SpecError: if a run is invalid.
    """
    loader = DataLoader(access, notices.append)
    by_program: dict[tuple[str, int, int], list[PreparedRun]] = {}
    for run in check_all(singles, loader, notices).runs:
        by_program.setdefault(run.program, []).append(run)
    for runs in by_program.values():
        yield _time_program(tuple(runs), loader)


def _time_program(runs: tuple[PreparedRun, ...], loader: DataLoader) -> ProgramTiming:
    longest = max(runs, key=lambda run: run.plan.total_steps)
    spec, data = longest.single.spec, loader(longest.single.spec)
    begin = time.perf_counter()
    model = build_model(spec, data, longest.rate, loader.access)
    build_seconds = time.perf_counter() - begin
    timer = FusedTimer(model, data, longest.plan.batch_size, spec)
    speeds = tuple(timer.speed() for _ in range(ROUNDS))
    measure = timer.training.evaluator(data.evaluated)
    measure()
    begin = time.perf_counter()
    measure()
    return ProgramTiming(
        runs=runs,
        speeds=speeds,
        build_seconds=build_seconds,
        compile_seconds=timer.training.compile_seconds,
        evaluate_seconds=time.perf_counter() - begin,
        engine=timer.training.name,
    )


def total_seconds(
    timings: Sequence[ProgramTiming], jobs: int, start_seconds: float
) -> tuple[float, float]:
    """Return the shortest and the longest expected time of the command that trains all runs.

    Each program is compiled once. The longest time takes the slowest round of each program, further
    slowed by the other workers, and a slow start of the command and of its workers in turn.

    Args:
        timings: the timings of all programs.
        jobs: the number of workers.
        start_seconds: the time in which a process loads TensorFlow.
    """
    slowdown = LONGEST if jobs == 1 else LONGEST_OF_SEVERAL
    compilations = [timing.compile_seconds or 0.0 for timing in timings]
    times = [timing.seconds(run) for timing in timings for run in timing.runs]
    fast = makespan([*(fastest for fastest, _ in times), *compilations], jobs)
    slow = makespan([*(slowest for _, slowest in times), *compilations], jobs)
    return SHORTEST * (start_seconds + fast), 2.5 * start_seconds + slowdown * slow
