"""How long a sweep will take: every program of it is tried for a second or two.

Compilation is told apart: a program is compiled once by every worker that trains with it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kerasbatch.benchmark.engines import FusedTimer
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
    """What one program takes, measured.

    Args:
        runs: the runs that it trains.
        steps_per_second: its speed.
        compile_seconds: its compilation, or None where the engine has none of its own.
        evaluate_seconds: one evaluation.
        engine: the engine.
    """

    runs: tuple[PreparedRun, ...]
    steps_per_second: float
    compile_seconds: float | None
    evaluate_seconds: float
    engine: str

    def seconds(self, run: PreparedRun) -> float:
        """Return what a run of this program takes, compilation aside."""
        every = run.single.spec.evaluate_every
        evaluations = 1 + sum(1 for _ in run.plan.evaluation_steps(every.kind, every.amount))
        steps = run.plan.total_steps / self.steps_per_second
        return steps + evaluations * self.evaluate_seconds


def time_programs(
    singles: Sequence[SingleRun], access: Access, notices: list[str]
) -> Iterator[ProgramTiming]:
    """Check all runs, and try every different program of theirs.

    Args:
        singles: the runs.
        access: what they may reach.
        notices: what a person must know is added here.

    Raises:
        SpecError: if something is wrong with the runs.
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
    built = build_model(spec, data, longest.rate, loader.access)
    timer = FusedTimer(built, data, longest.plan.batch_size, spec)
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


def total_seconds(found: Sequence[ProgramTiming], jobs: int) -> float:
    """Return how long all runs take by so many workers, each program compiled once.

    Args:
        found: the trials of all programs.
        jobs: how many workers.
    """
    works = [each.seconds(run) for each in found for run in each.runs]
    works += [each.compile_seconds or 0.0 for each in found]
    return makespan(works, jobs)
