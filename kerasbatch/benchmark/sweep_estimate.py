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
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access

ROUNDS = 3


@dataclass(frozen=True)
class ProgramTiming:
    """The measured times of one program.

    Args:
        runs: its runs.
        steps_per_second: its speed.
        compile_seconds: the time of its compilation, or None if the engine has none of its own.
        evaluate_seconds: the time of one evaluation.
        engine: the engine.
    """

    runs: tuple[PreparedRun, ...]
    steps_per_second: float
    compile_seconds: float | None
    evaluate_seconds: float
    engine: str

    def seconds(self, run: PreparedRun) -> float:
        """Return the time of a run of this program, without compilation."""
        every = run.single.spec.evaluate_every
        evaluations = 1 + sum(1 for _ in run.plan.evaluation_steps(every.kind, every.amount))
        steps = run.plan.total_steps / self.steps_per_second
        return steps + evaluations * self.evaluate_seconds


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
    model = build_model(spec, data, longest.rate, loader.access)
    timer = FusedTimer(model, data, longest.plan.batch_size, spec)
    speed = max(timer.speed() for _ in range(ROUNDS))
    measure = timer.training.evaluator(data.evaluated)
    measure()
    begin = time.perf_counter()
    measure()
    return ProgramTiming(
        runs=runs,
        steps_per_second=speed,
        compile_seconds=timer.training.compile_seconds,
        evaluate_seconds=time.perf_counter() - begin,
        engine=timer.training.name,
    )


def total_seconds(timings: Sequence[ProgramTiming], jobs: int) -> float:
    """Return the time of all runs by `jobs` workers, each program compiled once.

    Args:
        timings: the timings of all programs.
        jobs: the number of workers.
    """
    works = [timing.seconds(run) for timing in timings for run in timing.runs]
    works += [timing.compile_seconds or 0.0 for timing in timings]
    return makespan(works, jobs)
